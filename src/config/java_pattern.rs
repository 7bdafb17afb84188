//! Whether a text is a regular expression of Java's (`java.util.regex.Pattern`), by its brackets and repetitions.
//!
//! Invariants: what Java compiles is never refused. Mistakes inside a class, in the name of a group, of a property or of a
//! back reference, are not looked for: no pattern is run here.

/// What a repetition may follow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// Nothing that could be repeated: the start, `(` or `|`.
    Nothing,
    /// One thing.
    Atom,
    /// A repetition, behind which `?` and `+` say how greedy it is.
    Repetition,
    /// A repetition with that.
    Settled,
}

/// Whether the brackets are closed, nothing dangles, and repetitions repeat something.
pub(super) fn compiles(pattern: &str) -> bool {
    let mut rest = pattern;
    let mut depth = 0_usize;
    let mut before = Before::Nothing;
    while let Some(first) = rest.chars().next() {
        let behind = &rest[first.len_utf8()..];
        let (next, after) = match first {
            '\\' => match escaped(behind) {
                Some(after) => (Before::Atom, after),
                None => return false,
            },
            '[' => match class(behind) {
                Some(after) => (Before::Atom, after),
                None => return false,
            },
            '(' => {
                depth += 1;
                let named = behind.strip_prefix('?').unwrap_or(behind);
                (Before::Nothing, named)
            }
            ')' if depth == 0 => return false,
            ')' => {
                depth -= 1;
                (Before::Atom, behind)
            }
            '|' => (Before::Nothing, behind),
            '*' | '+' | '?' => match (first, before) {
                (_, Before::Atom) => (Before::Repetition, behind),
                ('+' | '?', Before::Repetition) => (Before::Settled, behind),
                _ => return false,
            },
            '{' => match counted(behind) {
                Some(after) => (Before::Repetition, after),
                None => return false,
            },
            _ => (Before::Atom, behind),
        };
        (before, rest) = (next, after);
    }
    depth == 0
}

/// What stands behind an escape; `\Q` quotes up to `\E` or the end.
fn escaped(behind: &str) -> Option<&str> {
    let first = behind.chars().next()?;
    let after = &behind[first.len_utf8()..];
    match first {
        'Q' => Some(after.split_once("\\E").map_or("", |(_, after)| after)),
        'x' | 'p' | 'P' | 'N' if after.starts_with('{') => after.split_once('}').map(|(_, after)| after),
        _ => Some(after),
    }
}

/// What stands behind a class, in which classes may stand. A `]` at the start of one is a character. Not by recursion: a
/// client says how deep it goes.
fn class(behind: &str) -> Option<&str> {
    let opened = |behind: &'_ str| {
        let inside = behind.strip_prefix('^').unwrap_or(behind);
        behind.len() - inside.strip_prefix(']').unwrap_or(inside).len()
    };
    let mut depth = 1_usize;
    let mut rest = &behind[opened(behind)..];
    while depth > 0 {
        let first = rest.chars().next()?;
        let after = &rest[first.len_utf8()..];
        rest = match first {
            ']' => {
                depth -= 1;
                after
            }
            '[' => {
                depth += 1;
                &after[opened(after)..]
            }
            '\\' => escaped(after)?,
            _ => after,
        };
    }
    Some(rest)
}

/// What stands behind `{n}`, `{n,}` or `{n,m}`.
fn counted(behind: &str) -> Option<&str> {
    let (counts, after) = behind.split_once('}')?;
    let (least, most) = counts.split_once(',').map_or((counts, ""), |(least, most)| (least, most));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (!least.is_empty() && is_number(least) && is_number(most)).then_some(after)
}

#[cfg(test)]
mod tests {
    use super::compiles;

    /// Compared with `java.util.regex.Pattern.compile` of Java 17.
    #[test]
    fn patterns_are_taken_and_refused_as_by_java() {
        for pattern in [
            "",
            "a",
            "a.*b",
            "a+?",
            "a*+",
            "a??",
            "(a|b)*",
            "(?<name>a)b++",
            "(?i)a",
            "(?:a)",
            "(?=a)b",
            "a{2}",
            "a{2,}",
            "{2}",
            "a{2,3}+",
            "[a-z]",
            "[^]a]",
            "[a[b-d]]",
            "[a&&[^b]]",
            "\\d+",
            "\\[",
            "\\Q(((",
            "\\Q(\\E",
            "a]",
            "a}",
            "\\p{Lu}",
            "^a$",
            "(a)|",
            "|a",
            "()",
        ] {
            assert!(compiles(pattern), "{pattern}");
        }
        for pattern in
            ["[", "[a", "(", "(a", "a)", "*a", "+", "a**", "a{", "a{x}", "a{,3}", "\\", "[a\\]", "a|*", "(*a)"]
        {
            assert!(!compiles(pattern), "{pattern}");
        }
    }
}
