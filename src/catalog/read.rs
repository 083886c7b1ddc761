//! Finding a version and reading it: on every call, with the rights of the current user.

use pgrx::JsonB;
use pgrx::datum::TimestampWithTimeZone;
use pgrx::pg_sys::Oid;

use super::connection::{Connection, Plan, Row, as_owner};
use super::rows::{self, Key};
use super::{Card, Entry, Error, Identity, Kind, Result, Size, fingerprint};
use crate::rights;

thread_local! {
    static BODY: Plan = const { Plan::new(c"
        SELECT body FROM sales_forecast.version WHERE model = $1 AND version = $2") };
    static CARD: Plan = const { Plan::new(c"
        SELECT extension_version, format, created, kind, source, target, time_column, series_columns, horizon, frequency,
               series, rows, data_from, data_to, epochs, seconds, device, peak_memory_mb, metric, value, baseline,
               baseline_value, skill, metrics, config, row_security_active
        FROM sales_forecast.version WHERE model = $1 AND version = $2") };
    static VERSIONS: Plan = const { Plan::new(c"
        SELECT version FROM sales_forecast.version WHERE model = $1 ORDER BY version DESC LIMIT 11") };
    static NAMES: Plan = const { Plan::new(c"
        SELECT m.name FROM sales_forecast.model m
        WHERE pg_has_role($1, m.owner::oid, 'USAGE') OR EXISTS (
          SELECT FROM sales_forecast.privilege p
          WHERE p.model = m.name AND (p.role = 0::oid OR pg_has_role($1, p.role::oid, 'USAGE')))
        ORDER BY m.name LIMIT 1000") };
}

/// The version of `model` that answers: the given one, else the deployed one.
///
/// # Errors
/// [`Error::UndefinedModel`], [`Error::UndefinedVersion`], or [`Error::NotGranted`] when the current user may not use it.
pub fn find(model: &str, version: Option<i32>) -> Result<Entry> {
    let user = rights::current_user();
    let Deployed { owner, version } = named(user, model, version)?;
    let key = [Key::Text(model)];
    let granted = rows::of_key((c"privilege", c"privilege_pkey"), &key, |row| row.role(c"role"))?;
    if !rights::may_use(user, owner, &granted) {
        return Err(Error::NotGranted { model: model.into(), owner: rights::name(owner) });
    }
    entry(owner, model, version)
}

/// As [`find`], for what only an owner may do.
///
/// # Errors
/// As [`find`], with [`Error::NotOwner`] in place of [`Error::NotGranted`].
pub fn find_owned(model: &str, version: Option<i32>) -> Result<Entry> {
    let user = rights::current_user();
    let Deployed { owner, version } = named(user, model, version)?;
    if !rights::may_own(user, owner) {
        return Err(Error::NotOwner { model: model.into(), owner: rights::name(owner) });
    }
    entry(owner, model, version)
}

/// Whose a model is, and the version in question.
struct Deployed {
    owner: Oid,
    version: i32,
}

fn named(user: Oid, model: &str, version: Option<i32>) -> Result<Deployed> {
    let one = |row: &Row| {
        let version = version.map_or_else(|| row.get(c"deployed"), Ok)?;
        Ok(Deployed { owner: row.role(c"owner")?, version })
    };
    let found = rows::of_key((c"model", c"model_pkey"), &[Key::Text(model)], one)?.pop();
    found.map_or_else(|| as_owner(|connection| Err(undefined_model(connection, user, model))), Ok)
}

fn entry(owner: Oid, model: &str, version: i32) -> Result<Entry> {
    let one = |row: &Row| {
        let sha256: Vec<u8> = row.get(c"sha256")?;
        let sha256 = sha256.try_into().map_err(|_| Error::Column(c"sha256"))?;
        let size = Size {
            series: row.get::<i64>(c"series")? as f64,
            horizon: row.optional::<i32>(c"horizon")?.map(f64::from),
            columns: row.get::<Vec<String>>(c"series_columns")?.len() as f64,
        };
        let identity = Identity { model: model.into(), version, sha256 };
        Ok(Entry { identity, owner, kind: read_kind(row, model, version)?, source: row.get(c"source")?, size })
    };
    let key = [Key::Text(model), Key::Int(version)];
    let found = rows::of_key((c"version", c"version_pkey"), &key, one)?.pop();
    found.map_or_else(|| as_owner(|connection| Err(undefined_version(connection, model, Some(version)))), Ok)
}

/// Reads the stored bytes of a version that [`find`] has returned, where they are: they are not copied.
///
/// # Errors
/// [`Error::Damaged`] when they don't match their sha256.
pub fn body<T>(identity: &Identity, read: impl FnOnce(&[u8]) -> T) -> Result<T> {
    let Identity { model, version, sha256 } = identity;
    as_owner(|connection| {
        let rows = connection.read(&BODY, &[model.as_str().into(), (*version).into()])?;
        let row = rows.first().ok_or_else(|| undefined_version(connection, model, Some(*version)))?;
        let body: &[u8] = row.get(c"body")?;
        if fingerprint(body) != *sha256 {
            let reason = "its bytes do not match their sha256".into();
            return Err(Error::Damaged { model: model.clone(), version: *version, reason });
        }
        Ok(read(body))
    })
}

/// All that is known of a version that [`find`] or [`find_owned`] has returned.
pub fn card(identity: &Identity) -> Result<Card> {
    let Identity { model, version, .. } = identity;
    as_owner(|connection| {
        let rows = connection.read(&CARD, &[model.as_str().into(), (*version).into()])?;
        let row = rows.first().ok_or_else(|| undefined_version(connection, model, Some(*version)))?;
        read_card(&row, model, *version)
    })
}

fn read_kind(row: &Row<'_>, model: &str, version: i32) -> Result<Kind> {
    let kind: String = row.get(c"kind")?;
    Kind::parse(&kind).ok_or_else(|| Error::Damaged {
        model: model.into(),
        version,
        reason: format!("its kind is \"{kind}\""),
    })
}

fn read_card(row: &Row<'_>, model: &str, version: i32) -> Result<Card> {
    let time = |name| Ok(row.optional::<TimestampWithTimeZone>(name)?.map(i64::from));
    Ok(Card {
        extension_version: row.get(c"extension_version")?,
        format: row.get(c"format")?,
        created: time(c"created")?,
        kind: read_kind(row, model, version)?,
        source: row.get(c"source")?,
        target: row.get(c"target")?,
        time_column: row.optional(c"time_column")?,
        series_columns: row.get(c"series_columns")?,
        horizon: row.optional(c"horizon")?,
        frequency: row.optional(c"frequency")?,
        series: row.get(c"series")?,
        rows: row.get(c"rows")?,
        data_from: time(c"data_from")?,
        data_to: time(c"data_to")?,
        epochs: row.get(c"epochs")?,
        seconds: row.get(c"seconds")?,
        device: row.get(c"device")?,
        peak_memory_mb: row.optional(c"peak_memory_mb")?,
        metric: row.get(c"metric")?,
        value: row.optional(c"value")?,
        baseline: row.get(c"baseline")?,
        baseline_value: row.optional(c"baseline_value")?,
        skill: row.optional(c"skill")?,
        metrics: row.get::<JsonB>(c"metrics")?.0,
        config: row.get::<JsonB>(c"config")?.0,
        row_security_active: row.get(c"row_security_active")?,
    })
}

/// The error for an unknown version, with the newest known ones; a failure to list them is the error then.
pub(super) fn undefined_version(connection: &Connection, model: &str, version: Option<i32>) -> Error {
    let known = || -> Result<Vec<i32>> {
        connection.read(&VERSIONS, &[model.into()])?.iter().map(|row| row.get(c"version")).collect()
    };
    match known() {
        Ok(known) => Error::UndefinedVersion { model: model.into(), version: version.unwrap_or_default(), known },
        Err(error) => error,
    }
}

/// The error for an unknown model, with the nearest name that `user` may use.
pub(super) fn undefined_model(connection: &Connection, user: Oid, model: &str) -> Error {
    let names = || -> Result<Vec<String>> {
        connection.read(&NAMES, &[user.into()])?.iter().map(|row| row.get(c"name")).collect()
    };
    match names() {
        Ok(names) => Error::UndefinedModel { model: model.into(), nearest: nearest(model, names) },
        Err(error) => error,
    }
}

/// The name with the fewest edits away from `wanted`, if about a third of its letters differ at most.
fn nearest(wanted: &str, names: Vec<String>) -> Option<String> {
    let limit = wanted.chars().count().div_ceil(3).min(8);
    let near = names.into_iter().map(|name| (edits(wanted, &name), name)).filter(|(edits, _)| *edits <= limit);
    near.min_by_key(|(edits, _)| *edits).map(|(_, name)| name)
}

/// Levenshtein distance without regard to case; only the first 64 letters count.
fn edits(a: &str, b: &str) -> usize {
    let letters = |text: &str| text.chars().take(64).flat_map(char::to_lowercase).collect::<Vec<_>>();
    let (a, b) = (letters(a), letters(b));
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
