//! What each script does, one case at a time.

use super::*;

async fn adopted(desk: &mut Desk, owner: Owner) {
    assert!(matches!(desk.adopt(owner, &[], &[]).await, Adopted::Counts(_)), "{owner:?}");
}

#[tokio::test]
async fn the_least_busy_with_a_free_place_is_taken() {
    let mut desk = Desk::open().await;
    let a = owner(1, 1);
    adopted(&mut desk, a).await;
    let offers = [limited(0, 2), Offer { weight: 3.0, ..limited(1, 3) }];
    let mut taken = [0, 0];
    for round in 1..=5 {
        let Reserved::Taken(place) = desk.reserve(a, round, &offers).await else { panic!("round {round}") };
        taken[place] += 1;
        if round == 4 {
            assert_eq!(taken, [1, 3], "by weight");
        }
    }
    assert_eq!(taken, [2, 3]);
    assert_eq!(desk.reserve(a, 6, &offers).await, Reserved::Full);
    assert_eq!(desk.settle(a, &[(deployment(1), -1)]).await, Some(1));
    assert_eq!(desk.reserve(a, 7, &offers).await, Reserved::Taken(1));
    assert_eq!((desk.total(0).await, desk.total(1).await), (2, 3));
}

#[tokio::test]
async fn a_lower_class_goes_first_and_gives_way_when_it_is_full() {
    let mut desk = Desk::open().await;
    let a = owner(1, 1);
    adopted(&mut desk, a).await;
    let offers = [Offer { class: 1, ..offer(0) }, limited(1, 2)];
    let mut order = Vec::new();
    for seed in 1..=4 {
        order.push(desk.reserve(a, seed, &offers).await);
    }
    assert_eq!(order, [1, 1, 0, 0].map(Reserved::Taken));
    let failed = Offer { extra: 5.0, ..offer(2) };
    assert_eq!(desk.reserve(a, 5, &[failed, offer(3)]).await, Reserved::Taken(1), "failing looks busy");
}

#[tokio::test]
async fn equals_have_equal_chances_and_seed_0_takes_the_first() {
    let mut desk = Desk::open().await;
    let a = owner(1, 1);
    adopted(&mut desk, a).await;
    let offers: Vec<Offer> = (0..4).map(offer).collect();
    let mut taken = [0; 4];
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..2000 {
        let seed = random.u32(1..1 << 31);
        let Reserved::Taken(place) = desk.reserve(a, seed, &offers).await else { panic!("no limit") };
        taken[place] += 1;
        desk.settle(a, &[(deployment(place), -1)]).await;
    }
    eprintln!("2000 ties among 4: {taken:?}");
    // 500 each, with a standard deviation of 19.
    assert!(taken.iter().all(|count| (400..600).contains(count)), "{taken:?}");
    for _ in 0..4 {
        assert_eq!(desk.reserve(a, 0, &offers).await, Reserved::Taken(0));
        desk.settle(a, &[(deployment(0), -1)]).await;
    }
}

#[tokio::test]
async fn what_is_asked_under_an_epoch_that_is_over_changes_nothing() {
    let mut desk = Desk::open().await;
    let (first, second) = (owner(1, 1), owner(1, 2));
    adopted(&mut desk, first).await;
    assert_eq!(desk.reserve(first, 1, &[limited(0, 3)]).await, Reserved::Taken(0));
    let counts = desk.adopt(second, &[], &[(deployment(0), 2)]).await;
    assert_eq!(counts, Adopted::Counts(vec![first.id]));
    assert_eq!(desk.total(0).await, 2, "absolute, not added");
    assert_eq!(desk.reserve(first, 2, &[limited(0, 3)]).await, Reserved::Fenced);
    assert_eq!(desk.settle(first, &[(deployment(0), -1)]).await, None);
    assert_eq!(desk.beat(first, &[]).await, None);
    assert_eq!(desk.adopt(first, &[], &[]).await, Adopted::Fenced);
    assert!(!desk.leave(first).await);
    assert_eq!(desk.total(0).await, 2);
    assert_eq!(desk.reserve(second, 3, &[limited(0, 3)]).await, Reserved::Taken(0));
    desk.is_right(&[first.id]).await;
}

#[tokio::test]
async fn an_instance_whose_lease_ran_out_is_reaped_once_and_by_whoever_comes() {
    let mut desk = Desk::open().await;
    let (a, b, c) = (owner(1, 1), owner(2, 1), owner(3, 1));
    let everybody = [a.id, b.id, c.id];
    adopted(&mut desk, a).await;
    assert!(matches!(desk.adopt(b, &[], &[]).await, Adopted::NameThese(_)), "a was not named");
    assert!(matches!(desk.adopt(b, &[a.id], &[(deployment(0), 2)]).await, Adopted::Counts(_)));
    assert!(matches!(desk.adopt(c, &[a.id, b.id], &[]).await, Adopted::Counts(_)));
    assert_eq!(desk.reserve(a, 1, &[limited(0, 3)]).await, Reserved::Taken(0));
    assert_eq!(desk.reserve(c, 1, &[limited(0, 3)]).await, Reserved::Full);
    desk.dies(b.id).await;
    for reaper in [a, c, a] {
        let others: Vec<_> = everybody.into_iter().filter(|id| *id != reaper.id).collect();
        let beat = desk.beat(reaper, &others).await.unwrap();
        assert_eq!((beat.members.len(), beat.totals), (2, vec![(deployment(0), 1)]));
        desk.is_right(&everybody).await;
    }
    assert_eq!(desk.settle(b, &[(deployment(0), -1)]).await, None, "it is out");
    assert_eq!(desk.reserve(b, 1, &[limited(0, 3)]).await, Reserved::Fenced);
    assert_eq!(desk.total(0).await, 1);
    // It was only asleep: what it still has counts again, also above the limit.
    let again = owner(2, 2);
    assert!(matches!(
        desk.adopt(again, &[a.id, c.id], &[(deployment(0), 3)]).await,
        Adopted::Counts(members) if members.len() == 3
    ));
    assert_eq!(desk.total(0).await, 4);
    assert_eq!(desk.reserve(a, 2, &[limited(0, 3)]).await, Reserved::Full);
    desk.is_right(&everybody).await;
}

#[tokio::test]
async fn an_adoption_counts_totals_anew() {
    let mut desk = Desk::open().await;
    let (a, b) = (owner(1, 1), owner(2, 1));
    adopted(&mut desk, a).await;
    desk.adopt(b, &[a.id], &[(deployment(0), 2), (deployment(1), 0)]).await;
    // As Redis does when it runs out of memory and may evict.
    desk.server.command(&["DEL", &keys().strict_totals()]).await;
    desk.adopt(owner(1, 2), &[b.id], &[(deployment(0), 1)]).await;
    assert_eq!((desk.total(0).await, desk.total(1).await), (3, 0));
    desk.is_right(&[a.id, b.id]).await;
    assert!(desk.leave(b).await && desk.leave(owner(1, 2)).await);
    let Value::Array(left) = desk.server.command(&["KEYS", "*"]).await else { panic!("a list") };
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn everything_expires_that_a_fleet_leaves_behind() {
    let mut desk = Desk::open().await;
    let a = owner(1, 1);
    adopted(&mut desk, a).await;
    desk.reserve(a, 1, &[offer(0)]).await;
    desk.beat(a, &[]).await.unwrap();
    let Value::Array(all) = desk.server.command(&["KEYS", "*"]).await else { panic!("a list") };
    assert_eq!(all.len(), 4);
    for key in all {
        let key = reply::text(key).unwrap();
        let left = reply::integer(&desk.server.command(&["PTTL", &key]).await).unwrap();
        assert!(0 < left, "{key} stays for ever");
    }
}
