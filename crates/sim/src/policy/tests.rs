use super::Policy;

#[test]
fn names_lead_back_to_their_policies() {
    for policy in Policy::ALL {
        assert_eq!(Policy::of_name(policy.name()), Some(policy));
        assert_eq!(Policy::ALL.iter().filter(|other| other.name() == policy.name()).count(), 1);
    }
    assert_eq!(Policy::of_name("Least-Busy"), None);
}
