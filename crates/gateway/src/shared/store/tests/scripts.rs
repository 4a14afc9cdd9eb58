//! Lua scripts by their hash, also when Redis has forgotten them.

use super::*;

const ADD: &str = "return redis.call('INCRBY', KEYS[1], ARGV[1])";
const READ: &str = "return redis.call('GET', KEYS[1])";

#[tokio::test]
async fn a_script_that_redis_forgot_is_sent_again() {
    let server = Server::start().await;
    let mut store = store_at(server.port());
    let add = Script::new(ADD);
    let sum =
        async |store: &mut Store| reply::integer(&store.eval(&add, &[KEY], &["5"]).await.unwrap()).unwrap();
    assert_eq!(sum(&mut store).await, 5);
    assert_eq!(sum(&mut store).await, 10);
    assert_eq!(store.counters().batches, 2);
    server.command(&["SCRIPT", "FLUSH"]).await;
    assert_eq!(sum(&mut store).await, 15);
    assert_eq!(store.counters().batches, 4, "once by its hash, once by its text");
    assert_eq!(sum(&mut store).await, 20);
    assert_eq!(store.counters().batches, 5);
    assert_eq!(store.counters().connections, 1);
    let calls = server.command(&["INFO", "commandstats"]).await.to_text();
    for (command, count) in [("eval", 2), ("evalsha", 3)] {
        assert!(calls.contains(&format!("cmdstat_{command}:calls={count},")), "{calls}");
    }
}

#[tokio::test]
async fn a_batch_runs_nothing_twice_when_a_script_is_forgotten() {
    let server = Server::start().await;
    let mut store = store_at(server.port());
    let (add, read) = (Script::new(ADD), Script::new(READ));
    let mut batch = Batch::new();
    batch.command("INCRBY").arg(OTHER).arg(1);
    batch.script(&add, &[KEY], &["1"]);
    batch.command("INCRBY").arg(OTHER).arg(1);
    batch.script(&add, &[KEY], &["1"]).script(&read, &[KEY], &[""; 0]);
    for round in 1..=3 {
        if round == 2 {
            server.command(&["SCRIPT", "FLUSH"]).await;
        }
        let replies = store.run(&batch).await.unwrap();
        let sum = 2 * round;
        let read = Value::BulkString(sum.to_string().into_bytes());
        assert_eq!(
            replies,
            [sum - 1, sum - 1, sum, sum].map(Value::Int).into_iter().chain([read]).collect::<Vec<_>>()
        );
    }
    assert_eq!(store.counters().batches, 4);
}

#[tokio::test]
async fn a_script_that_fails_is_an_error_of_its_batch() {
    let server = Server::start().await;
    let mut store = store_at(server.port());
    let error = store.eval(&Script::new("return redis.call('NO SUCH')"), &[KEY], &[""; 0]).await.unwrap_err();
    eprintln!("{error}");
    assert_eq!(error.kind(), "server");
    assert!(!store.is_connected());
}
