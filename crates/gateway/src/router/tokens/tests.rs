use super::*;
use crate::openai::Usage;

fn tokens(used: TokenUse, usage: Option<(u32, Option<u32>)>) -> Option<Tokens> {
    let usage = usage.map(|(prompt, output)| Usage { prompt, output });
    Tokens::new(used, TokensSeen { usage, output_estimate: Some(7) }, 403)
}

#[test]
fn what_is_not_counted_is_estimated_and_never_mixed() {
    let counted = |prompt, output| Some(Tokens { prompt, output, basis: Basis::Counted });
    let estimated = |output| Some(Tokens { prompt: 100, output, basis: Basis::Estimated });
    for (used, usage, expected) in [
        (TokenUse::PromptAndOutput, Some((12, Some(34))), counted(12, Some(34))),
        (TokenUse::PromptAndOutput, Some((12, None)), estimated(Some(7))),
        (TokenUse::PromptAndOutput, None, estimated(Some(7))),
        (TokenUse::Prompt, Some((12, None)), counted(12, None)),
        (TokenUse::Prompt, Some((12, Some(0))), counted(12, None)),
        (TokenUse::Prompt, None, estimated(None)),
        (TokenUse::Untold, Some((12, Some(34))), None),
    ] {
        assert_eq!(tokens(used, usage), expected, "{used:?} {usage:?}");
    }
}

#[test]
fn what_cannot_be_read_has_no_output() {
    let tokens = Tokens::new(TokenUse::PromptAndOutput, TokensSeen::default(), 40);
    assert_eq!(tokens, Some(Tokens { prompt: 10, output: None, basis: Basis::Estimated }));
}

#[test]
fn all_tokens_are_those_read_and_those_written() {
    let total = |prompt, output| Tokens { prompt, output, basis: Basis::Counted }.total();
    assert_eq!(total(12, Some(34)), 46);
    assert_eq!(total(12, None), 12);
    assert_eq!(total(u64::MAX, Some(1)), u32::MAX);
}
