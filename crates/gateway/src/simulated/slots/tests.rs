use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::Slots;

const HOUR: Duration = Duration::from_secs(60 * 60);

#[tokio::test]
async fn who_waited_starts_when_the_slot_was_due_to_be_free() {
    let slots = Slots::new(1);
    let first = slots.enter().await;
    let due = first.started() + HOUR;
    let (waited, ()) = tokio::join!(slots.enter(), async { first.leave(due) });
    assert_eq!(waited.started(), due);
    // One that leaves early was not due: its slot is free from then on.
    let mut left = due;
    let (waited, ()) = tokio::join!(slots.enter(), async {
        tokio::task::yield_now().await;
        left = Instant::now();
        drop(waited);
    });
    assert!((left..due).contains(&waited.started()));
}

#[tokio::test]
async fn who_comes_to_a_free_slot_starts_at_once() {
    let slots = Slots::new(2);
    for _ in 0..3 {
        let began = Instant::now();
        let places = [slots.enter().await, slots.enter().await];
        for place in places {
            assert!((began..=Instant::now()).contains(&place.started()));
            place.leave(began);
        }
    }
    // One that gives up while it waits has no slot to leave.
    let places = [slots.enter().await, slots.enter().await];
    assert!(timeout(Duration::from_millis(1), slots.enter()).await.is_err());
    drop(places);
    assert_eq!(slots.here().freed.len(), 2);
}
