//! Stored models as this backend uses them: found on every call, decoded once.

use std::cell::RefCell;
use std::rc::Rc;

use crate::api::time::Class;
use crate::cache::Cache;
use crate::catalog::{self, Entry};
use crate::engine::model::Model;
use crate::engine::regression::Regression;
use crate::engine::{Error, codec};
use crate::report::or_raise;
use crate::source::Source;
use crate::{device, names, report, settings};

/// A decoded body.
pub struct Loaded {
    pub body: Body,
    pub time_class: Option<Class>,
    /// Where the events of its `options.events` are.
    pub events: Option<Source>,
    search_path: Option<String>,
}

/// What a body holds.
pub enum Body {
    Series(Box<Model>),
    Regression(Box<Regression>),
}

thread_local! {
    static CACHE: RefCell<Cache<([u8; 32], settings::Device), Loaded>> = RefCell::new(Cache::default());
}

impl Loaded {
    /// Reads what training stored, with every check that a body from elsewhere needs.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::UnknownFormat`], [`Error::NoDevice`].
    pub fn decode(body: &[u8]) -> crate::engine::Result<Loaded> {
        let (told, tensors) = codec::decode(body)?;
        let device = device::serving()?;
        let body = match told.get::<Option<&str>>("kind")? {
            Some("regression") => Body::Regression(Box::new(Regression::load(&told, tensors, &device)?)),
            _ => Body::Series(Box::new(Model::load(&told, tensors, &device)?)),
        };
        let time_class = told.get("time_class").unwrap_or_default();
        Ok(Loaded { body, time_class, events: told.get("events")?, search_path: told.get("search_path")? })
    }

    /// The model, if it is one of series.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for a regression model.
    pub fn series(&self) -> crate::engine::Result<&Model> {
        match &self.body {
            Body::Series(model) => Ok(model),
            Body::Regression(_) => Err(Error::InvalidArgument {
                name: "model",
                value: "a regression model".into(),
                allowed:
                    "a time-series model here; give a regression model a row: forecast('...', features => '{...}')"
                        .into(),
            }),
        }
    }

    /// Where the model's rows are, as the current user finds them.
    ///
    /// # Errors
    /// Those of [`Source::resolve`].
    pub fn source(&self, entry: &Entry) -> report::Result<Source> {
        match &self.search_path {
            Some(path) if !names::is_relation_name(&entry.source) => {
                Ok(Source::Query { text: entry.source.clone(), search_path: path.clone() })
            }
            _ => Source::resolve(&entry.source),
        }
    }
}

/// Finds a model with the current user's rights and decodes it, unless these bytes are in the cache.
pub fn find(model: &str, version: Option<i32>) -> (Entry, Rc<Loaded>) {
    let entry = catalog::find(model, version).unwrap_or_else(|error| error.report());
    let key = (entry.identity.sha256, settings::device());
    let found = CACHE.with_borrow_mut(|cache| cache.get(&key));
    let loaded = found.unwrap_or_else(|| {
        let decoded = catalog::body(&entry.identity, |body| (body.len(), Loaded::decode(body)));
        let (bytes, loaded) = decoded.unwrap_or_else(|error| error.report());
        let loaded = Rc::new(or_raise(loaded));
        let limit = usize::try_from(settings::model_cache_size()).unwrap_or(usize::MAX);
        CACHE.with_borrow_mut(|cache| cache.insert(key, Rc::clone(&loaded), bytes, limit));
        loaded
    });
    (entry, loaded)
}
