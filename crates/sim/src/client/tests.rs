use super::{Client, Senders};
use crate::Dice;

#[test]
fn requests_are_shared_out_among_clients_by_their_shares() {
    let clients = [Client::new("a", 1.0), Client::new("b", 6.0), Client::new("c", 3.0)];
    let mut senders = Senders::new(&clients, Dice::new(7));
    let mut counts = [0_u32; 3];
    for _ in 0..100_000 {
        counts[senders.next()] += 1;
    }
    for (count, share) in counts.into_iter().zip([0.1, 0.6, 0.3]) {
        assert!((f64::from(count) / 100_000.0 - share).abs() < 0.005, "{counts:?}");
    }
}

#[test]
fn where_nobody_is_named_all_are_the_first_clients() {
    let mut senders = Senders::new(&[], Dice::new(7));
    assert_eq!((senders.next(), senders.next(), senders.priority(0)), (0, 0, 0));
    assert_eq!(
        Senders::new(&[Client { priority: -3, ..Client::new("a", 1.0) }], Dice::new(7)).priority(0),
        -3
    );
}
