use std::time::Duration;

use super::Outcome;

#[test]
fn there_is_an_outcome_of_every_name() {
    for (kind, name) in Outcome::KINDS.into_iter().enumerate() {
        let outcome = Outcome::named(name).expect(name);
        assert_eq!((outcome.kind(), outcome.name(), outcome.retry_after()), (kind, name, None));
    }
    assert_eq!(Outcome::named("no_such_outcome"), None);
}

#[test]
fn the_rest_that_was_asked_for_is_no_part_of_the_name() {
    let outcome = Outcome::Overloaded { retry_after: Some(Duration::from_secs(7)) };
    assert_eq!(Outcome::named(outcome.name()), Some(Outcome::Overloaded { retry_after: None }));
}
