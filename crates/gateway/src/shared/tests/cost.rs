//! What sharing costs: sixteen instances at 20 ms.

use std::time::{Duration, Instant};

use leastbusy_balance::{Fleet, Member, Pick, TieBreak, Weight};

use super::wire::settings;
use super::world::name_of;
use crate::config::SharedState;
use crate::shared::redis_kit::{Server, information};
use crate::shared::{Count, Sharing};

const INSTANCES: usize = 16;
const DEPLOYMENTS: usize = 16;
/// Microseconds of Redis' CPU for one exchange: ten times what was measured while others kept the machine busy.
const CPU_MAX: f64 = 500.0;
const MEASURED: Duration = Duration::from_secs(4);

/// Microseconds of CPU that a server has used.
pub(in crate::shared) async fn cpu(server: &Server) -> f64 {
    let mut sum = 0.0;
    for name in ["used_cpu_sys", "used_cpu_user"] {
        sum += information(server, "cpu", name).await.unwrap().parse::<f64>().unwrap() * 1e6;
    }
    sum
}

/// Microseconds of CPU that the threads have used that share.
fn own_cpu() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().filter_map(Result::ok);
    let ticks = tasks.filter_map(|task| {
        let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
        let (name, rest) = stat.split_once(") ")?;
        let fields: Vec<_> = rest.split(' ').collect();
        let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
        name.ends_with("(leastbusy-share").then_some(ticks)
    });
    ticks.sum::<f64>() * 1e4
}

#[tokio::test]
async fn an_exchange_of_sixteen_instances_is_light_work_for_redis() {
    let server = Server::start().await;
    let settings = SharedState { interval: Some(Duration::from_millis(20)), ..settings(&server) };
    let mut all = Vec::new();
    for number in 0..INSTANCES {
        let (fleet, start) = (Fleet::new(), Instant::now());
        let deployments: Vec<_> = (0..DEPLOYMENTS).map(|_| fleet.deploy()).collect();
        let members = deployments.iter().map(|deployment| Member::new(*deployment, Weight::ONE)).collect();
        let group = fleet.group(members, TieBreak::Random);
        let names = deployments.iter().enumerate().map(|(at, deployment)| (*deployment, name_of(at)));
        let sharing =
            Sharing::start(&settings, (fleet, start), names, format!("gateway-{number}:4000")).unwrap();
        let now = start.elapsed();
        let leases: Vec<_> =
            (0..200).map(|_| group.pick(&Pick { now, dice: fastrand::u64(..), ..Pick::default() })).collect();
        all.push((sharing, leases));
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    for (sharing, _) in &all {
        assert_eq!(sharing.status().snapshot().others.len(), INSTANCES - 1);
    }
    let count = |what| all.iter().map(|(sharing, _)| sharing.status().count(what)).sum::<u64>() as f64;
    let counts = || [Count::Exchanges, Count::Commands, Count::Microseconds].map(count);
    let (began, before, redis_before, own_before) = (Instant::now(), counts(), cpu(&server).await, own_cpu());
    tokio::time::sleep(MEASURED).await;
    let (seconds, after) = (began.elapsed().as_secs_f64(), counts());
    let (redis, own) = (cpu(&server).await - redis_before, own_cpu() - own_before);
    let [exchanges, commands, took] = [0, 1, 2].map(|at| after[at] - before[at]);
    eprintln!(
        "{:.0} exchanges a second, {:.0} commands; Redis {:.2} % of a core, {:.2} us an exchange; \
         {:.1} us round trip; {:.1} us of our CPU an exchange",
        exchanges / seconds,
        commands / seconds,
        redis / seconds / 1e4,
        redis / exchanges,
        took / exchanges,
        own / exchanges
    );
    assert!(exchanges / seconds <= 1000.0, "{exchanges} in {seconds} s");
    assert!(redis / exchanges < CPU_MAX, "{redis} us in {exchanges}");
    // A telling and a reading each; the roll calls and the marks are a few more.
    assert!(commands / exchanges < 2.2, "{commands} in {exchanges}");
    all.into_iter().for_each(|(sharing, _)| sharing.stop());
}
