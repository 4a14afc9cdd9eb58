use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn counted() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count::default());
    (Arc::clone(&count), waker(&count.into()))
}

#[test]
fn a_wake_up_goes_through_unless_it_is_held_back() {
    let (count, waker) = counted();
    waker.wake_by_ref();
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    let other = waker.clone();
    let (taken, held) = held_back(|| {
        waker.wake_by_ref();
        other.wake();
        "taken"
    });
    // Two were held in one place, so that one of them went through.
    assert_eq!((taken, count.0.load(Ordering::Relaxed)), ("taken", 2));
    held.expect("the other was held").wake_now();
    assert_eq!(count.0.load(Ordering::Relaxed), 3);
    waker.wake();
    assert_eq!(count.0.load(Ordering::Relaxed), 4);
}

#[test]
fn nothing_is_held_where_nothing_wakes_or_after_a_panic() {
    let (count, waker) = counted();
    assert!(held_back(|| ()).1.is_none());
    let panicked = catch_unwind(AssertUnwindSafe(|| held_back(|| panic!("of the test"))));
    assert!(panicked.is_err());
    waker.wake();
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
}
