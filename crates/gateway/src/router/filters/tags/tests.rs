//! The rules as a table: who serves whom.

use http::{HeaderMap, HeaderValue, header};

use super::Tags;
use crate::config::{Deployment, TagFilter};
use crate::router::filters::left::Left;

/// A deployment with these tags; `~` begins a pattern.
fn deployment(tags: &str) -> Deployment {
    let (patterns, tags): (Vec<_>, Vec<_>) = tags.split(' ').partition(|tag| tag.starts_with('~'));
    let mut deployment = Deployment::new("m", "openai/m");
    deployment.tags = tags.into_iter().filter(|tag| !tag.is_empty()).map(str::to_owned).collect();
    deployment.tag_regex = patterns.into_iter().map(|pattern| pattern[1..].replace('_', " ")).collect();
    deployment
}

fn tags(rules: Option<&TagFilter>, deployments: &[&str]) -> Option<Tags> {
    let deployments: Vec<_> = deployments.iter().map(|tags| deployment(tags)).collect();
    Tags::new(rules, &deployments.iter().collect::<Vec<_>>()).unwrap()
}

/// Which of the deployments serve a request; none of them is `None`.
fn served(tags: &Tags, asked: &str, is_asked: bool, user_agent: &str) -> Option<Vec<usize>> {
    let asked: Vec<_> = asked.split(' ').filter(|tag| !tag.is_empty()).map(str::to_owned).collect();
    let mut headers = HeaderMap::new();
    if !user_agent.is_empty() {
        headers.insert(header::USER_AGENT, HeaderValue::from_str(user_agent).unwrap());
    }
    let mut left = Left::among(tags.members.len(), None);
    tags.keep(&mut left, &asked, is_asked, &headers).then(|| left.iter().collect())
}

#[track_caller]
fn check(rules: &TagFilter, deployments: &[&str], table: &[(&str, &str, Option<&[usize]>)]) {
    let tags = tags(Some(rules), deployments).unwrap();
    for (asked, user_agent, expected) in table {
        let found = served(&tags, asked, false, user_agent);
        assert_eq!(found.as_deref(), *expected, "`{asked}` from `{user_agent}` among {deployments:?}");
    }
}

const ANY: TagFilter = TagFilter { match_any: true, prefix: String::new() };
const ALL: TagFilter = TagFilter { match_any: false, prefix: String::new() };

#[test]
fn one_tag_in_common_is_enough() {
    check(
        &ANY,
        &["free", "paid eu", "paid", ""],
        &[
            ("free", "", Some(&[0])),
            ("paid", "", Some(&[1, 2])),
            ("eu free", "", Some(&[0, 1])),
            ("other", "", None),
            ("other paid", "", Some(&[1, 2])),
            ("", "", Some(&[0, 1, 2, 3])),
            // A pattern is what makes a user-agent count.
            ("", "curl/8", Some(&[0, 1, 2, 3])),
        ],
    );
}

#[test]
fn where_all_must_match_each_tag_of_the_request_must_be_there() {
    check(
        &ALL,
        &["free", "paid eu", "paid", "paid eu fast"],
        &[
            ("paid", "", Some(&[1, 2, 3])),
            ("paid eu", "", Some(&[1, 3])),
            ("eu paid fast", "", Some(&[3])),
            ("free paid", "", None),
        ],
    );
}

#[test]
fn default_serves_who_asks_for_nothing_that_is_known() {
    for rules in [ANY, ALL] {
        check(
            &rules,
            &["default free", "paid", ""],
            &[
                ("", "", Some(&[0])),
                ("default", "", Some(&[0])),
                ("paid", "", Some(&[1])),
                // A tag that is there for somebody else, as for billing.
                ("team-7", "", Some(&[0])),
                ("!free", "", None),
                ("!paid", "", Some(&[0])),
                ("&paid", "", Some(&[1])),
            ],
        );
    }
    // `paid` means something here, so who cannot have it is told.
    check(&ANY, &["default free", "paid"], &[("paid !paid", "", None), ("paid &free", "", None)]);
    check(&ALL, &["default", "paid"], &[("paid team-7", "", None)]);
}

#[test]
fn an_exclamation_mark_refuses_and_an_ampersand_requires() {
    check(
        &ANY,
        &["eu fast", "eu beta", "us fast", ""],
        &[
            ("!beta", "", Some(&[0, 2, 3])),
            ("!beta !fast", "", Some(&[3])),
            ("!eu !us", "", Some(&[3])),
            ("&eu", "", Some(&[0, 1])),
            ("&eu &fast", "", Some(&[0])),
            ("&eu !beta", "", Some(&[0])),
            ("&eu !eu", "", None),
            ("&nowhere", "", None),
            ("fast beta !us", "", Some(&[0, 1])),
            ("fast beta &us", "", Some(&[2])),
            ("us &eu", "", None),
            // A mark alone is no tag.
            ("! &", "", Some(&[0, 1, 2, 3])),
        ],
    );
}

#[test]
fn a_pattern_is_for_user_agents() {
    check(
        &ANY,
        &["~^User-Agent:_claude-cli/", "default", "paid"],
        &[
            ("", "claude-cli/2.1", Some(&[0])),
            ("", "my-claude-cli/2.1", Some(&[1])),
            ("", "curl/8", Some(&[1])),
            ("", "", Some(&[1])),
            ("paid", "curl/8", Some(&[2])),
            ("paid", "claude-cli/2.1", Some(&[0, 2])),
            ("&paid", "claude-cli/2.1", Some(&[2])),
        ],
    );
    // Without a default, patterns reserve the whole group.
    check(
        &ANY,
        &["~curl ~wget", ""],
        &[("", "curl/8", Some(&[0])), ("", "Wget/1 wget", Some(&[0])), ("", "python", None)],
    );
    // A user-agent does not stand in for tags that must all be there.
    check(&ALL, &["paid ~curl", "~curl"], &[("", "curl/8", Some(&[1])), ("eu", "curl/8", Some(&[1]))]);
}

#[test]
fn a_prefix_marks_tags_that_are_about_routing() {
    let rules = TagFilter { prefix: "route:".to_owned(), ..ANY };
    check(
        &rules,
        &["default", "paid"],
        &[
            ("route:paid", "", Some(&[1])),
            ("paid", "", Some(&[1])),
            ("route:&paid", "", Some(&[1])),
            // Without it, a tag that nobody here has is somebody else's; with it, it is a mistake.
            ("team-7", "", Some(&[0])),
            ("route:team-7", "", None),
            ("team-7 route:paid", "", Some(&[1])),
        ],
    );
}

#[test]
fn a_request_turns_the_filter_on_and_not_off() {
    let off = tags(None, &["free", "paid"]).unwrap();
    assert_eq!(served(&off, "paid", false, ""), Some(vec![0, 1]));
    assert_eq!(served(&off, "paid", true, ""), Some(vec![1]));
    let on = tags(Some(&ANY), &["free", "paid"]).unwrap();
    assert_eq!(served(&on, "paid", false, ""), Some(vec![1]));
    assert!(tags(None, &["", ""]).is_none(), "nothing can count here");
}

#[test]
fn a_pattern_that_is_none_is_told_at_the_start() {
    let error = Tags::new(Some(&ANY), &[&deployment("~(")]).unwrap_err().to_string();
    assert!(error.contains("tag_regex of `m`"), "{error}");
}
