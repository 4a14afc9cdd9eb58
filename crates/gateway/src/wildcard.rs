//! Model names with `*` in them: matching, captures, and putting captures back in.

/// A name with at least one `*`, each of which stands for any text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// The text between the stars; one more than there are stars.
    pieces: Vec<String>,
}

impl Pattern {
    /// The pattern in `name`, if it holds a `*`.
    #[must_use]
    pub(crate) fn parse(name: &str) -> Option<Self> {
        name.contains('*').then(|| Self { pieces: name.split('*').map(str::to_owned).collect() })
    }

    /// What each `*` stands for in `name`, when all of `name` fits the pattern.
    #[must_use]
    pub(crate) fn captures<'a>(&self, name: &'a str) -> Option<Vec<&'a str>> {
        let (first, rest) = self.pieces.split_first()?;
        let (last, middle) = rest.split_last()?;
        let mut left = name.strip_prefix(first.as_str())?.strip_suffix(last.as_str())?;
        let mut captures = Vec::with_capacity(rest.len());
        for piece in middle {
            let (captured, after) = left.split_once(piece.as_str())?;
            captures.push(captured);
            left = after;
        }
        captures.push(left);
        Some(captures)
    }

    /// The name in which each `*` is replaced by its capture; a `*` without one stays.
    #[must_use]
    pub(crate) fn fill(&self, captures: &[&str]) -> String {
        let mut name = self.pieces[0].clone();
        for (index, piece) in self.pieces[1..].iter().enumerate() {
            name.push_str(captures.get(index).copied().unwrap_or("*"));
            name.push_str(piece);
        }
        name
    }

    /// More is more specific: characters that are not `*`, then fewer stars.
    #[must_use]
    pub(crate) fn specificity(&self) -> (usize, std::cmp::Reverse<usize>) {
        (self.pieces.iter().map(String::len).sum(), std::cmp::Reverse(self.pieces.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::Pattern;

    fn captures<'a>(pattern: &str, name: &'a str) -> Option<Vec<&'a str>> {
        Pattern::parse(pattern).unwrap().captures(name)
    }

    #[test]
    fn a_pattern_matches_the_whole_name() {
        assert_eq!(captures("openai/*", "openai/gpt-4o"), Some(vec!["gpt-4o"]));
        assert_eq!(captures("openai/*", "my-openai/gpt-4o"), None);
        assert_eq!(captures("*-mini", "gpt-mini-2"), None);
        assert_eq!(captures("*", "anything"), Some(vec!["anything"]));
        assert_eq!(captures("a*a", "a"), None);
    }

    #[test]
    fn each_star_has_its_capture() {
        assert_eq!(captures("*/chat-*", "eu/chat-large"), Some(vec!["eu", "large"]));
        let filled = Pattern::parse("region-*/m-*").unwrap().fill(&["eu", "large"]);
        assert_eq!(filled, "region-eu/m-large");
    }

    #[test]
    fn the_longer_pattern_is_more_specific() {
        let specificity = |name| Pattern::parse(name).unwrap().specificity();
        assert!(specificity("*") < specificity("openai/*"));
        assert!(specificity("openai/*") < specificity("openai/gpt-*"));
        assert!(specificity("gpt-**") < specificity("gpt-*"));
    }

    #[test]
    fn a_name_without_a_star_is_no_pattern() {
        assert_eq!(Pattern::parse("gpt-4o"), None);
    }
}
