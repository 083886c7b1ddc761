//! SQL names as text: quoting them, telling them from statements, and finding the one that was meant.

/// `name` as a quoted SQL identifier.
pub fn quote(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// `name` as people write it: quoted only if it has letters that need it. For messages: keywords are not looked up.
pub fn quote_if_needed(name: &str) -> String {
    let starts_plainly = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_');
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if starts_plainly && name.chars().all(plain) { name.to_owned() } else { quote(name) }
}

/// Whether `text` has the form of a table's name: up to three identifiers, plain or quoted, joined by dots.
pub fn is_relation_name(text: &str) -> bool {
    let mut rest = text;
    for _ in 0..3 {
        let Some(after) = skip_identifier(rest.trim_start()) else { return false };
        let after = after.trim_start();
        if after.is_empty() {
            return true;
        }
        let Some(next) = after.strip_prefix('.') else { return false };
        rest = next;
    }
    false
}

/// What follows the identifier at the start of `text`, if there is one.
fn skip_identifier(text: &str) -> Option<&str> {
    if let Some(quoted) = text.strip_prefix('"') {
        let mut rest = quoted;
        loop {
            let end = rest.find('"')?;
            rest = &rest[end + 1..];
            match rest.strip_prefix('"') {
                Some(more) => rest = more,
                None if quoted.len() == rest.len() + 1 => return None,
                None => return Some(rest),
            }
        }
    }
    let first = text.chars().next()?;
    if !(first.is_ascii_alphabetic() || first == '_' || !first.is_ascii()) {
        return None;
    }
    let end = text
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()))
        .unwrap_or(text.len());
    Some(&text[end..])
}

/// The candidate closest to `name`, if one is close enough to be what was meant: at most a third of its letters differ.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(&name.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's edit distance in characters.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let substituted = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_doubles_inner_quotes() {
        assert_eq!(quote("day"), "\"day\"");
        assert_eq!(quote("a\"b"), "\"a\"\"b\"");
        assert_eq!(quote_if_needed("day_1"), "day_1");
        assert_eq!(quote_if_needed("Day"), "\"Day\"");
    }

    #[test]
    fn names_are_told_from_statements() {
        for name in ["sales", " public.sales ", "\"My Table\"", "a.\"b\"\"c\".d", "_x$1", "größe", "pg_temp . sales"]
        {
            assert!(is_relation_name(name), "{name}");
        }
        for text in ["", "SELECT 1", "sales;", "1sales", "a.b.c.d", "a.", "\"open", "\"\"", "(TABLE a)", "a b"] {
            assert!(!is_relation_name(text), "{text}");
        }
    }

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        let columns = ["day", "quantity", "price"];
        assert_eq!(nearest("quantty", columns), Some("quantity"));
        assert_eq!(nearest("Day", columns), Some("day"));
        assert_eq!(nearest("customer", columns), None);
    }
}
