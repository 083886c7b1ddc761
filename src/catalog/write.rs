//! Storing, deploying, granting and dropping versions: by owners only, in the caller's transaction.
#![allow(unsafe_code)]

use std::ffi::CStr;

use pgrx::JsonB;
use pgrx::datum::{DatumWithOid, TimestampWithTimeZone};
use pgrx::pg_sys::{self, Oid};

use super::connection::{Connection, as_owner};
use super::read::{undefined_model, undefined_version};
use super::{Draft, Error, Result, fingerprint};
use crate::rights;

const OWNER: &CStr = c"SELECT owner::oid AS owner, deployed FROM sales_forecast.model WHERE name = $1";
const LOCK: &CStr = c"SELECT owner::oid AS owner, deployed FROM sales_forecast.model WHERE name = $1 FOR UPDATE";
const CREATE: &CStr =
    c"INSERT INTO sales_forecast.model (name, owner, deployed) VALUES ($1, $2::oid, 1) ON CONFLICT (name) DO NOTHING";
const STORE: &CStr = c"
    INSERT INTO sales_forecast.version (
      model, version, created, extension_version, format, kind, source, target, time_column, series_columns, horizon,
      frequency, series, rows, data_from, data_to, epochs, seconds, device, peak_memory_mb, metric, value, baseline,
      baseline_value, skill, metrics, config, row_security_active, body, sha256)
    SELECT $1, coalesce(max(version), 0) + 1, coalesce($2, now()), $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
           $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29
    FROM sales_forecast.version WHERE model = $1
    RETURNING version";
const DEPLOY: &CStr = c"
    UPDATE sales_forecast.model m SET deployed = $2
    WHERE m.name = $1 AND EXISTS (SELECT FROM sales_forecast.version v WHERE v.model = $1 AND v.version = $2)";
const REMOVE_MODEL: &CStr = c"
    WITH gone AS (DELETE FROM sales_forecast.version WHERE model = $1 RETURNING version),
         model AS (DELETE FROM sales_forecast.model WHERE name = $1)
    SELECT count(*)::int AS versions FROM gone";
const REMOVE_VERSION: &CStr = c"DELETE FROM sales_forecast.version WHERE model = $1 AND version = $2";
const NEWEST: &CStr = c"SELECT max(version) AS version FROM sales_forecast.version WHERE model = $1";
const GRANT: &CStr = c"
    INSERT INTO sales_forecast.privilege (model, role) VALUES ($1, $2::oid) ON CONFLICT (model, role) DO NOTHING";
// Roles are passed as bigint: pgrx takes the role number 0, which is PUBLIC, for NULL.
const REVOKE: &CStr = c"DELETE FROM sales_forecast.privilege WHERE model = $1 AND role = $2::oid";

const LONGEST_NAME: usize = 63;

/// Whether the current user may store a version under this name now: asked before a training, so that it isn't in vain.
///
/// # Errors
/// [`Error::InvalidName`], [`Error::NotOwner`]; SQLSTATE 25006 on a standby or in a read-only transaction.
pub fn check_publish(model: &str) -> Result<()> {
    must_be_writable(c"forecast_train()");
    let length = model.chars().count();
    if length == 0 || length > LONGEST_NAME {
        return Err(Error::InvalidName(length));
    }
    let user = rights::current_user();
    as_owner(|connection| owned(connection, OWNER, user, model).map(|_| ()))
}

/// Stores a version and deploys it; a new name belongs to the current user. Returns the version's number, which is one
/// more than the newest: another session that stores under the same name waits for this transaction to end.
///
/// # Errors
/// As [`check_publish`].
pub fn publish(draft: Draft) -> Result<i32> {
    check_publish(&draft.model)?;
    let user = rights::current_user();
    let model = draft.model.clone();
    as_owner(|connection| {
        lock_or_create(connection, user, &model)?;
        let version = store(connection, draft)?;
        connection.write(DEPLOY, &[model.as_str().into(), version.into()])?;
        Ok(version)
    })
}

/// Makes `version` the one that answers, and returns the one that did before.
///
/// # Errors
/// [`Error::UndefinedModel`], [`Error::UndefinedVersion`], [`Error::NotOwner`].
pub fn deploy(model: &str, version: i32) -> Result<i32> {
    change(c"forecast_deploy()", model, |connection, deployed| {
        let rows = connection.write(DEPLOY, &[model.into(), version.into()])?;
        if rows.count == 0 { Err(undefined_version(connection, model, Some(version))) } else { Ok(deployed) }
    })
}

/// Drops one version, or all and the name; returns how many. The newest one left answers if the deployed one is gone.
///
/// # Errors
/// As [`deploy`].
pub fn remove(model: &str, version: Option<i32>) -> Result<i32> {
    change(c"forecast_drop()", model, |connection, deployed| {
        if let Some(version) = version {
            if connection.write(REMOVE_VERSION, &[model.into(), version.into()])?.count == 0 {
                return Err(undefined_version(connection, model, Some(version)));
            }
            let newest = connection.write(NEWEST, &[model.into()])?;
            if let Some(newest) = newest.first().map(|row| row.optional::<i32>(c"version")).transpose()?.flatten() {
                let deployed = if deployed == version { newest } else { deployed };
                connection.write(DEPLOY, &[model.into(), deployed.into()])?;
                return Ok(1);
            }
        }
        let rows = connection.write(REMOVE_MODEL, &[model.into()])?;
        let gone: i32 = rows.first().ok_or(Error::Column(c"versions"))?.get(c"versions")?;
        Ok(gone + i32::from(version.is_some()))
    })
}

/// Lets a role use a model; `public` is everyone.
///
/// # Errors
/// [`Error::UndefinedModel`], [`Error::UndefinedRole`], [`Error::NotOwner`].
pub fn grant(model: &str, role: &str) -> Result<()> {
    change_privilege(c"forecast_grant()", GRANT, model, role)
}

/// Takes a [`grant`] back; without one there is nothing to do.
///
/// # Errors
/// As [`grant`].
pub fn revoke(model: &str, role: &str) -> Result<()> {
    change_privilege(c"forecast_revoke()", REVOKE, model, role)
}

fn change_privilege(command: &CStr, sql: &CStr, model: &str, role: &str) -> Result<()> {
    let role_id = rights::role(role).ok_or_else(|| Error::UndefinedRole(role.into()))?;
    let role_id = i64::from(role_id.to_u32());
    change(command, model, |connection, _| connection.write(sql, &[model.into(), role_id.into()]).map(|_| ()))
}

/// Runs `work` on a model of the current user, locked, with the version that is deployed.
fn change<T>(command: &CStr, model: &str, work: impl FnOnce(&Connection, i32) -> Result<T>) -> Result<T> {
    must_be_writable(command);
    let user = rights::current_user();
    as_owner(|connection| {
        // Asked without a lock first: who has no right on the model must not be able to hold others up.
        let known = owned(connection, OWNER, user, model)?.is_some();
        let deployed = if known { owned(connection, LOCK, user, model)? } else { None };
        let deployed = deployed.ok_or_else(|| undefined_model(connection, user, model))?;
        work(connection, deployed)
    })
}

/// The deployed version of a model that `user` owns, `None` if there is no such model.
fn owned(connection: &Connection, sql: &CStr, user: Oid, model: &str) -> Result<Option<i32>> {
    let rows = connection.write(sql, &[model.into()])?;
    let Some(row) = rows.first() else { return Ok(None) };
    let owner: Oid = row.get(c"owner")?;
    if !rights::may_own(user, owner) {
        return Err(Error::NotOwner { model: model.into(), owner: rights::name(owner) });
    }
    row.get(c"deployed").map(Some)
}

fn lock_or_create(connection: &Connection, user: Oid, model: &str) -> Result<()> {
    connection.write(CREATE, &[model.into(), i64::from(user.to_u32()).into()])?;
    match owned(connection, LOCK, user, model)? {
        Some(_) => Ok(()),
        None => Err(Error::Dropped { model: model.into() }),
    }
}

fn store(connection: &Connection, draft: Draft) -> Result<i32> {
    let Draft { model, card, body } = draft;
    let sha256 = fingerprint(&body);
    let arguments = [
        model.into(),
        time(card.created)?,
        card.extension_version.into(),
        card.format.into(),
        card.kind.as_str().into(),
        card.source.into(),
        card.target.into(),
        card.time_column.into(),
        card.series_columns.into(),
        card.horizon.into(),
        card.frequency.into(),
        card.series.into(),
        card.rows.into(),
        time(card.data_from)?,
        time(card.data_to)?,
        card.epochs.into(),
        card.seconds.into(),
        card.device.into(),
        card.peak_memory_mb.into(),
        card.metric.into(),
        card.value.into(),
        card.baseline.into(),
        card.baseline_value.into(),
        card.skill.into(),
        JsonB(card.metrics).into(),
        JsonB(card.config).into(),
        card.row_security_active.into(),
        body.as_slice().into(),
        sha256.as_slice().into(),
    ];
    let rows = connection.write(STORE, &arguments)?;
    rows.first().ok_or(Error::Column(c"version"))?.get(c"version")
}

fn time(microseconds: Option<i64>) -> Result<DatumWithOid<'static>> {
    let time = microseconds.map(TimestampWithTimeZone::try_from).transpose();
    time.map(DatumWithOid::from).map_err(|_| Error::Column(c"time"))
}

/// Ends the statement with SQLSTATE 25006 on a standby or in a read-only transaction, 25000 in a parallel worker.
fn must_be_writable(command: &CStr) {
    // SAFETY: these raise an error or return.
    unsafe {
        pg_sys::PreventCommandDuringRecovery(command.as_ptr());
        pg_sys::PreventCommandIfReadOnly(command.as_ptr());
        pg_sys::PreventCommandIfParallelMode(command.as_ptr());
    }
}
