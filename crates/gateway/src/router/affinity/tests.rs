use bytes::Bytes;
use leastbusy_balance::Fleet;

use super::*;
use crate::openai::RequestHead;

const NOW: Duration = Duration::from_secs(5);

fn affinity(session: bool, user: bool, prefix: bool) -> Affinity {
    Affinity::new(config::Affinity { session, user, prefix, ..config::Affinity::default() }).unwrap()
}

fn named<'a>(session: &'a str, user: &'a str) -> Traits<'a> {
    Traits { session: Some(session), user: Some(user), prompt: None }
}

/// Who is remembered for these traits on a route.
fn known(affinity: &Affinity, traits: Traits<'_>, route: &Route<'_>) -> Option<DeploymentIndex> {
    affinity.recall(&affinity.marks(traits).unwrap(), route, NOW).served
}

fn serves(affinity: &Affinity, traits: Traits<'_>, route: &Route<'_>, deployment: DeploymentIndex) {
    let recalled = affinity.recall(&affinity.marks(traits).unwrap(), route, NOW);
    affinity.learn(&recalled.keys, deployment, NOW);
}

#[test]
fn off_it_is_nothing() {
    assert!(Affinity::new(config::Affinity::default()).is_none());
    assert!(affinity(true, false, false).marks(Traits { user: Some("u"), ..Traits::default() }).is_none());
    assert!(affinity(false, true, true).marks(Traits { session: Some("s"), ..Traits::default() }).is_none());
}

#[test]
fn the_session_goes_before_the_user_and_the_user_before_the_prompt() {
    let (fleet, route) = (Fleet::new(), Route::to(0));
    let [a, b, c] = [fleet.deploy(), fleet.deploy(), fleet.deploy()];
    let affinity = affinity(true, true, true);
    let text = format!(r#"{{"model":"m","prompt":"{}"}}"#, "word ".repeat(500));
    let body = Pieces::from(Bytes::from(text));
    let head = RequestHead::read(&body).unwrap();
    let prompt = Some((&body, &head.prompt));
    serves(&affinity, Traits { prompt, ..named("s", "u") }, &route, a);
    assert_eq!(known(&affinity, named("s", "new"), &route), Some(a));
    serves(&affinity, named("s2", "u"), &route, b);
    serves(&affinity, Traits { prompt, ..Traits::default() }, &route, c);
    let all = |session, user| known(&affinity, Traits { prompt, ..named(session, user) }, &route);
    assert_eq!(all("s", "u"), Some(a));
    assert_eq!(all("new", "u"), Some(b));
    assert_eq!(all("new", "new"), Some(c));
    assert_eq!(known(&affinity, named("new", "new"), &route), None);
}

#[test]
fn a_session_is_not_a_user_of_that_name() {
    let fleet = Fleet::new();
    let affinity = affinity(true, true, false);
    serves(&affinity, Traits { session: Some("x"), ..Traits::default() }, &Route::to(0), fleet.deploy());
    assert_eq!(known(&affinity, Traits { user: Some("x"), ..Traits::default() }, &Route::to(0)), None);
}

#[test]
fn model_groups_and_what_stars_stand_for_are_apart() {
    let deployment = Fleet::new().deploy();
    let affinity = affinity(true, false, false);
    let traits = Traits { session: Some("s"), ..Traits::default() };
    let route = Route { group: 3, captures: vec!["gpt", "4o"] };
    serves(&affinity, traits, &route, deployment);
    assert_eq!(known(&affinity, traits, &route), Some(deployment));
    for other in [
        Route::to(3),
        Route { group: 2, ..route.clone() },
        Route { captures: vec!["gpt4", "o"], ..route.clone() },
        Route { captures: vec!["4o", "gpt"], ..route.clone() },
    ] {
        assert_eq!(known(&affinity, traits, &other), None, "{other:?}");
    }
}

#[test]
fn nothing_of_a_request_stands_in_the_memory() {
    let deployment = Fleet::new().deploy();
    let affinity = affinity(true, true, false);
    serves(&affinity, named("my-session", "my-user"), &Route::to(0), deployment);
    let shown = format!("{affinity:?}");
    assert!(shown.contains("DeploymentIndex(0)") && !shown.contains("my-"), "{shown}");
    // Another process has another seed.
    let other = self::affinity(true, true, false);
    let hashes = |affinity: &Affinity| affinity.marks(named("my-session", "my-user")).unwrap().0;
    assert_ne!(hashes(&affinity), hashes(&other));
}
