//! The lines of a `.properties` file, as `java.util.Properties.load` reads them.
//!
//! Invariants:
//! * every line of the file is part of one [`Line`], in order;
//! * no text panics: an escape that is cut off or wrong stands for itself.

/// What one line, with those that continue it, says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    Blank,
    /// The text behind `#` or `!`.
    Comment(&'a str),
    Pair(Pair),
}

/// A name and its value, with the place where the name begins; line and column count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pair {
    pub(super) name: String,
    pub(super) value: String,
    pub(super) line: usize,
    pub(super) column: usize,
}

/// All lines of a file.
pub(super) fn parse(text: &str) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let mut numbered = text.lines().enumerate();
    while let Some((index, first)) = numbered.next() {
        let trimmed = first.trim_start();
        if trimmed.is_empty() {
            lines.push(Line::Blank);
        } else if let Some(comment) = trimmed.strip_prefix(['#', '!']) {
            lines.push(Line::Comment(comment));
        } else {
            let mut whole = trimmed.to_owned();
            while is_continued(&whole) {
                whole.pop();
                let Some((_, next)) = numbered.next() else { break };
                whole.push_str(next.trim_start());
            }
            let column = first.chars().count() - trimmed.chars().count() + 1;
            let (name, value) = split(&whole);
            lines.push(Line::Pair(Pair { name, value, line: index + 1, column }));
        }
    }
    lines
}

/// Whether the line ends in a backslash that is not itself escaped.
fn is_continued(line: &str) -> bool {
    line.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1
}

/// The name ends at the first `=`, `:` or blank that is not escaped.
fn split(line: &str) -> (String, String) {
    let mut is_escaped = false;
    let end = line.find(|c: char| {
        let ends = !is_escaped && (matches!(c, '=' | ':') || c.is_whitespace());
        is_escaped = !is_escaped && c == '\\';
        ends
    });
    let (name, rest) = line.split_at(end.unwrap_or(line.len()));
    let rest = rest.trim_start();
    let value = rest.strip_prefix(['=', ':']).unwrap_or(rest).trim_start();
    (unescaped(name), unescaped(value))
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(escaped) = rest.chars().next() else { break };
        let unicode = unicode(rest);
        rest = &rest[escaped.len_utf8()..];
        match (escaped, unicode) {
            ('t', _) => out.push('\t'),
            ('n', _) => out.push('\n'),
            ('r', _) => out.push('\r'),
            ('f', _) => out.push('\u{c}'),
            ('u', Some((character, length))) => {
                out.push(character);
                rest = &rest[length - 1..];
            }
            (other, _) => out.push(other),
        }
    }
    out.push_str(rest);
    out
}

/// The character that `uXXXX` at the front stands for, two of them where it is a pair of surrogates, and their length.
fn unicode(rest: &str) -> Option<(char, usize)> {
    let unit = |at: usize| u16::from_str_radix(rest.get(at..at + 4)?, 16).ok();
    let first = unit(1)?;
    if let Some(character) = char::from_u32(first.into()) {
        return Some((character, 5));
    }
    let second = rest.get(5..7).filter(|escape| *escape == "\\u").and_then(|_| unit(7))?;
    let character = char::decode_utf16([first, second]).next()?.ok()?;
    Some((character, 11))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        let lines = parse(text).into_iter();
        lines
            .filter_map(|line| if let Line::Pair(pair) = line { Some((pair.name, pair.value)) } else { None })
            .collect()
    }

    #[test]
    fn names_end_at_an_equals_sign_a_colon_or_a_blank() {
        for text in ["a.b=c d", "a.b: c d", "  a.b  =  c d", "a.b c d", "a.b\tc d"] {
            assert_eq!(pairs(text), [("a.b".into(), "c d".into())], "{text}");
        }
        assert_eq!(pairs("listeners=PLAINTEXT://:9092"), [("listeners".into(), "PLAINTEXT://:9092".into())]);
        assert_eq!(pairs("a\na="), [("a".into(), "".into()), ("a".into(), "".into())]);
    }

    #[test]
    fn a_backslash_continues_and_escapes() {
        assert_eq!(pairs("a=b,\\\n   c\nd=e"), [("a".into(), "b,c".into()), ("d".into(), "e".into())]);
        assert_eq!(pairs("a=b\\\\\nc=d"), [("a".into(), "b\\".into()), ("c".into(), "d".into())]);
        assert_eq!(pairs("a\\=b=\\u0041\\t\\q\\u12"), [("a=b".into(), "A\tqu12".into())]);
        assert_eq!(pairs("a=b\\"), [("a".into(), "b".into())]);
        assert_eq!(pairs("a=\\ud83d\\ude00\\ud83dx"), [("a".into(), "😀ud83dx".into())]);
    }

    #[test]
    fn comments_and_places_are_kept() {
        let lines = parse("# one\n\n  ! two\n  a=\\\n1\nb=2");
        assert_eq!(lines[..3], [Line::Comment(" one"), Line::Blank, Line::Comment(" two")]);
        let places: Vec<_> =
            lines[3..].iter().map(|l| if let Line::Pair(p) = l { (p.line, p.column) } else { (0, 0) }).collect();
        assert_eq!(places, [(4, 3), (6, 1)]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in "[\\\\u0-9a-f=:# \n\\PC]{0,60}") {
            parse(&text);
        }
    }
}
