//! Public holidays of countries and their subdivisions by name, from the table that `scripts/holiday_table.py` writes.

use super::date::{date_of, days_of};
use super::error::{Error, Result};

const TABLE: &str = include_str!("holidays.txt");
/// First and last year of the table.
pub const YEARS: (i64, i64) = (1990, 2060);

/// Names and days (since 2000-01-01, ascending) of an area's holidays in the years of the table.
///
/// # Errors
/// [`Error::UnknownArea`] with the nearest code.
pub fn of(area: &str) -> Result<Vec<(&'static str, Vec<i64>)>> {
    let country = area.split('-').next().unwrap_or_default();
    let mut lines = lines_of(area).ok_or_else(|| unknown(area))?;
    if area != country {
        let own: Vec<_> = lines.iter().map(|(name, _)| *name).collect();
        let inherited = lines_of(country).unwrap_or_default();
        lines.extend(inherited.into_iter().filter(|(name, _)| !own.contains(name)));
    }
    lines.sort_unstable();
    let days = |(name, rules)| (name, days(rules));
    Ok(lines.into_iter().map(days).filter(|(_, days)| !days.is_empty()).collect())
}

/// Names and rules below an area's own line.
fn lines_of(area: &str) -> Option<Vec<(&'static str, &'static str)>> {
    let is_head = |line: &&str| line.strip_prefix('=').is_some_and(|head| code(head) == area);
    let mut lines = TABLE.lines().skip_while(|line| !is_head(line));
    lines.next()?;
    Some(lines.map_while(|line| line.split_once('|')).collect())
}

/// "DE" of "DE DEU Germany"; a subdivision's line is its code alone.
fn code(head: &str) -> &str {
    if head.as_bytes().get(2) == Some(&b' ') { &head[..2] } else { head }
}

fn unknown(area: &str) -> Error {
    let wanted = area.to_uppercase();
    let distance = |name: &str| strsim::damerau_levenshtein(&name.to_uppercase(), &wanted);
    let heads = TABLE.lines().filter_map(|line| line.strip_prefix('='));
    // A country is also meant by its three letters or its name.
    let near = heads.map(|head| match head.splitn(3, ' ').collect::<Vec<_>>().as_slice() {
        [code, letters, names] if code.len() == 2 => {
            let names = names.split('/').chain([*code, *letters]);
            (names.map(distance).min().unwrap_or(usize::MAX), head)
        }
        _ => (distance(head), head),
    });
    let nearest = near.min().filter(|(distance, _)| *distance <= wanted.chars().count().div_ceil(3));
    let shown = |head: &str| match head.splitn(3, ' ').last().and_then(|names| names.split('/').next()) {
        Some(name) if code(head) != head => format!("\"{}\" ({name})", code(head)),
        _ => format!("\"{head}\""),
    };
    Error::UnknownArea { area: area.into(), nearest: nearest.map(|(_, head)| shown(head)) }
}

fn days(rules: &str) -> Vec<i64> {
    let shared = |number: &str| {
        let mut lines = TABLE.lines().skip_while(|line| line.starts_with('#'));
        number.parse().ok().and_then(|number| lines.nth(number))
    };
    let rules = rules.strip_prefix('*').map_or(Some(rules), shared).unwrap_or_default();
    let mut days: Vec<i64> = rules
        .split_ascii_whitespace()
        .flat_map(|rule| match rule.strip_prefix(':') {
            Some(list) => listed(list),
            None => {
                let (rule, years) = rule.split_once('@').unwrap_or((rule, "-"));
                let (first, last) = years.split_once('-').unwrap_or_default();
                let years = first.parse().unwrap_or(YEARS.0)..=last.parse().unwrap_or(YEARS.1);
                years.filter_map(|year| day(rule, year)).collect()
            }
        })
        .collect();
    days.sort_unstable();
    days
}

/// Days counted in base 36, two digits each, every one from the day before it.
fn listed(list: &str) -> Vec<i64> {
    let digits = list.as_bytes().chunks(2).filter_map(|digits| std::str::from_utf8(digits).ok());
    let mut day = days_of(YEARS.0, 1, 1);
    let step = |digits: &str| {
        day += i64::from_str_radix(digits, 36).unwrap_or(0);
        (digits != "zz").then_some(day)
    };
    digits.filter_map(step).collect()
}

/// The day of a rule in a year.
fn day(rule: &str, year: i64) -> Option<i64> {
    let date = |text: &str| {
        let number: i64 = text.parse().ok()?;
        let day = days_of(year, number / 100, number % 100);
        // 29 February is in leap years only.
        (date_of(day) == (year, number / 100, number % 100)).then_some(day)
    };
    match (rule.as_bytes().first()?, rule.split_once('>')) {
        (b'e', _) => Some(easter(year) + rule[1..].parse::<i64>().ok()?),
        (b'o', _) => Some(orthodox_easter(year) + rule[1..].parse::<i64>().ok()?),
        (_, Some((weekday, from))) => {
            let (weekday, from) = (weekday.parse::<i64>().ok()?, date(from)?);
            // 2000-01-03 was a Monday.
            Some(from + (weekday + 2 - from).rem_euclid(7))
        }
        _ => date(rule),
    }
}

/// Western Easter: Meeus, Astronomical Algorithms, chapter 8.
fn easter(year: i64) -> i64 {
    let (a, b, c) = (year % 19, year / 100, year % 100);
    let g = (8 * b + 13) / 25;
    let h = (19 * a + b - b / 4 - g + 15) % 30;
    let l = (32 + 2 * (b % 4) + 2 * (c / 4) - h - c % 4) % 7;
    let m = (a + 11 * h + 22 * l) / 451;
    let n = h + l - 7 * m + 114;
    days_of(year, n / 31, n % 31 + 1)
}

/// Easter by the Julian calendar, which is 13 days behind from 1900 to 2099: the same source.
fn orthodox_easter(year: i64) -> i64 {
    let (a, b, c) = (year % 4, year % 7, year % 19);
    let d = (19 * c + 15) % 30;
    let n = d + (2 * a + 4 * b - d + 34) % 7 + 114;
    days_of(year, n / 31, n % 31 + 1) + 13
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dates(area: &str, name: &str, years: std::ops::RangeInclusive<i64>) -> Vec<String> {
        let all = of(area).expect("a known area");
        let (_, days) = all.into_iter().find(|(known, _)| *known == name).expect("a known holiday");
        let dates = days.into_iter().map(date_of).filter(|(year, ..)| years.contains(year));
        dates.map(|(year, month, day)| format!("{year}-{month:02}-{day:02}")).collect()
    }

    /// The Python package holidays 0.109 for the same areas and years.
    #[test]
    fn finds_what_the_package_finds() {
        assert_eq!(dates("DE", "Good Friday", 2024..=2025), ["2024-03-29", "2025-04-18"]);
        assert_eq!(dates("GR", "Easter Monday", 2024..=2025), ["2024-05-06", "2025-04-21"]);
        assert_eq!(dates("US", "Thanksgiving Day", 2024..=2025), ["2024-11-28", "2025-11-27"]);
        assert_eq!(dates("US", "Memorial Day", 2024..=2025), ["2024-05-27", "2025-05-26"]);
        assert_eq!(dates("TR", "Eid al-Fitr", 2024..=2024), ["2024-04-10", "2024-04-11", "2024-04-12"]);
        assert_eq!(dates("CO", "Epiphany", 2024..=2025), ["2024-01-08", "2025-01-06"]);
    }

    #[test]
    fn a_subdivision_adds_to_its_country() {
        assert_eq!(dates("DE-BY", "Epiphany", 2024..=2024), ["2024-01-06"]);
        assert_eq!(dates("DE-BY", "Good Friday", 2024..=2024), ["2024-03-29"]);
        assert!(of("DE").expect("Germany").iter().all(|(name, _)| *name != "Epiphany"));
    }

    #[test]
    fn every_area_has_days_in_order_and_within_the_table() {
        let heads = || TABLE.lines().filter_map(|line| line.strip_prefix('=')).map(code);
        assert_eq!(heads().count(), 901);
        for area in heads() {
            let all = of(area).expect("a known area");
            for (name, days) in &all {
                assert!(days.windows(2).all(|pair| pair[0] < pair[1]), "{area} {name}");
                assert!(days.iter().all(|day| (YEARS.0..=YEARS.1).contains(&date_of(*day).0)), "{area} {name}");
            }
        }
    }

    #[test]
    fn an_unknown_code_names_the_nearest() {
        let nearest = |area: &str| match of(area) {
            Err(Error::UnknownArea { nearest, .. }) => nearest,
            other => panic!("{other:?}"),
        };
        let germany = "\"DE\" (Germany)";
        for (wrong, meant) in [
            ("de", germany),
            ("DEU", germany),
            ("Germany", germany),
            ("UK", "\"GB\" (United Kingdom)"),
            ("USA", "\"US\" (United States)"),
            ("DE-BA", "\"DE-BB\""),
        ] {
            assert_eq!(nearest(wrong).as_deref(), Some(meant), "{wrong}");
        }
        assert_eq!(nearest("nowhere at all"), None);
        assert_eq!(nearest(""), None);
    }
}
