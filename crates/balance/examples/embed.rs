//! The heart inside a program of your own: threads stand in for deployments, the work is sleeping.
//!
//! `cargo run -p leastbusy-balance --example embed`

#![expect(clippy::disallowed_methods, reason = "the fake deployments sleep and the result has a duration")]
#![expect(clippy::print_stdout, reason = "it shows its result")]

use std::thread;
use std::time::{Duration, Instant};

use leastbusy_balance::{Fleet, Member, Outcome, Pick, TieBreak, Weight};

/// Name, time for one request, weight.
const DEPLOYMENTS: [(&str, Duration, f64); 3] = [
    ("small", Duration::from_millis(8), 1.0),
    ("small, too", Duration::from_millis(8), 1.0),
    ("large", Duration::from_millis(4), 2.0),
];
const CLIENTS: u64 = 12;
const REQUESTS: u64 = 50;

fn main() {
    // 1. A fleet has one count for each physical deployment.
    let fleet = Fleet::new();
    // 2. A group says which deployments can serve a request, and their weights. Several groups may
    //    name the same deployment; they all see its one count.
    let members = DEPLOYMENTS.map(|(_, _, weight)| {
        Member::new(fleet.deploy(), Weight::new(weight).expect("the weights above are positive"))
    });
    let group = fleet.group(members.to_vec(), TieBreak::Random);

    let started = Instant::now();
    let (mut served, mut peak) = ([0; 3], [0; 3]);
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let group = &group;
                scope.spawn(move || {
                    let mut seen = Vec::new();
                    for request in 0..REQUESTS {
                        // 3. Picking and counting are one step. The dice break ties: any numbers that
                        //    differ will do.
                        let dice = client * REQUESTS + request;
                        let lease = group
                            .pick(&Pick { dice, now: started.elapsed(), ..Pick::default() })
                            .expect("the group has members and this request has tried none");
                        // 4. Send the request to the deployment that was picked ...
                        let (_, time, _) = DEPLOYMENTS[lease.member()];
                        thread::sleep(time);
                        seen.push((lease.member(), lease.in_flight_at_pick()));
                        // 5. ... and end the lease when the answer is over, with how it went. (Dropping it
                        //    gives the place back as well, and says nothing of the deployment.)
                        lease.end(Outcome::Success, started.elapsed());
                    }
                    seen
                })
            })
            .collect();
        for client in clients {
            for (member, in_flight) in client.join().expect("no client panics") {
                served[member] += 1;
                peak[member] = in_flight.max(peak[member]);
            }
        }
    });

    println!("{} requests from {CLIENTS} clients in {:.1?}", CLIENTS * REQUESTS, started.elapsed());
    println!(
        "{:<12} {:>6} {:>8} {:>15} {:>14}",
        "deployment", "weight", "served", "most in flight", "in flight now"
    );
    for (number, (name, _, weight)) in DEPLOYMENTS.iter().enumerate() {
        let now = fleet.in_flight(members[number].deployment);
        println!("{name:<12} {weight:>6} {:>8} {:>15} {now:>14}", served[number], peak[number]);
    }
}
