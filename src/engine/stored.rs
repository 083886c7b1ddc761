//! The stored form of a time-series model: a description in JSON, and tensors.

use candle_core::Device;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::codec::{Description, StoredTensor, Tensor};
use super::coherent::Aggregates;
use super::error::{Error, Result};
use super::evaluation::Evaluation;
use super::expert::Expert;
use super::features::{Features, Measure, StepFeatures, WindowFeatures};
use super::model::{Member, Model, Spec};
use super::network::{Network, Shape};
use super::scaling::Scaler;

/// Number of the stored form.
pub const FORMAT: i64 = 2;

#[derive(Serialize, Deserialize)]
struct StoredMember {
    expert: Expert,
    features: StoredFeatures,
    shape: Shape,
    #[serde(default = "even", skip_serializing_if = "is_even")]
    balance: f32,
}

fn even() -> f32 {
    1.0
}

fn is_even(balance: &f32) -> bool {
    *balance == even()
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum StoredFeatures {
    Window(WindowFeatures),
    /// As models stored before have them.
    Step(Box<StepFeatures>),
    /// The model's features of steps, of which a member has scalers of its own.
    Shared {
        measure: Measure,
        inputs: Vec<Scaler>,
    },
}

impl Model {
    /// The spec and the tensors that [`Model::load`] reads.
    pub fn store(&self) -> Result<(Json, Vec<Tensor>)> {
        let features = |member: &Member| match (&member.features, &self.spec.steps) {
            (Features::Step(steps), Some(_)) => {
                StoredFeatures::Shared { measure: steps.measure, inputs: steps.inputs.clone() }
            }
            (Features::Step(steps), None) => StoredFeatures::Step(steps.clone()),
            (Features::Window(window), _) => StoredFeatures::Window(window.clone()),
        };
        let stored = |member: &Member| StoredMember {
            expert: member.expert,
            features: features(member),
            shape: member.network.shape().clone(),
            balance: member.balance,
        };
        let members: Vec<StoredMember> = self.members.iter().map(stored).collect();
        let mut spec = json!({"format": FORMAT, "kind": "series", "spec": self.spec, "members": members});
        let mut tensors = self.evaluation.tensors();
        for (index, member) in self.members.iter().enumerate() {
            let named = |(name, dims, values)| (format!("member.{index}.{name}"), dims, values);
            tensors.extend(member.network.tensors().into_iter().map(named));
        }
        if let Some(aggregates) = &self.aggregates {
            let (json, own) = aggregates.store(self)?;
            spec["aggregates"] = json;
            tensors.extend(own);
        }
        Ok((spec, tensors))
    }

    /// # Errors
    /// [`Error::UnknownFormat`], [`Error::Damaged`].
    pub fn load(json: &Description, mut tensors: Vec<StoredTensor>, device: &Device) -> Result<Model> {
        check_format(json, "series")?;
        let spec: Spec = json.get("spec")?;
        let stored: Vec<StoredMember> = json.get("members")?;
        let blank = || Evaluation::new(spec.series.len(), spec.horizon);
        let evaluation = Evaluation::of(&tensors, &spec.scored).unwrap_or_else(blank);
        let mut members = Vec::new();
        for (index, StoredMember { expert, features, shape, balance }) in stored.into_iter().enumerate() {
            let features = match (features, &spec.steps) {
                (StoredFeatures::Window(window), _) => Features::Window(window),
                (StoredFeatures::Step(steps), _) => Features::Step(steps),
                (StoredFeatures::Shared { measure, inputs }, Some(steps)) => {
                    let mut steps = steps.measured_by(measure);
                    steps.inputs = inputs;
                    Features::Step(Box::new(steps))
                }
                _ => return Err(Error::Damaged { reason: "a network reads steps of which it has none".into() }),
            };
            if shape.outputs != features.targets() * expert.loss(&spec.loss).outputs()
                || shape.numeric != features.width()
            {
                return Err(Error::Damaged { reason: "its network does not fit its features".into() });
            }
            let network = Network::from_tensors(shape, with_prefix(&mut tensors, &format!("member.{index}.")), device)?;
            if !(balance.is_finite() && balance > 0.0) {
                return Err(Error::Damaged { reason: format!("its means are multiplied by {balance}") });
            }
            members.push(Member { expert, features, network, balance });
        }
        let mut model = Model::new(spec, members, evaluation);
        // Models stored before had them in their members alone.
        let of_member = |member: &Member| match &member.features {
            Features::Step(steps) => Some(steps.as_ref().clone()),
            Features::Window(_) => None,
        };
        model.spec.steps = model.spec.steps.or_else(|| model.members.iter().find_map(of_member));
        if model.spec.options.hierarchy.is_some() {
            let aggregates = Aggregates::load(&json.get("aggregates")?, &mut tensors, &model, device)?;
            model.aggregates = Some(Box::new(aggregates));
        }
        Ok(model)
    }
}

/// Takes out the tensors whose names begin with `prefix`, and takes it off them.
pub(super) fn with_prefix<'a>(tensors: &mut Vec<StoredTensor<'a>>, prefix: &str) -> Vec<StoredTensor<'a>> {
    let own = tensors.extract_if(.., |(name, ..)| name.starts_with(prefix));
    own.map(|(name, dims, values)| (name[prefix.len()..].to_string(), dims, values)).collect()
}

pub(super) fn check_format(json: &Description, kind: &str) -> Result<()> {
    match json.get::<Option<i64>>("format")? {
        Some(FORMAT) if json.get::<Json>("kind")? == kind => Ok(()),
        Some(FORMAT) => Err(Error::Damaged { reason: format!("it is not a {kind} model") }),
        Some(found) => Err(Error::UnknownFormat { found, known: FORMAT }),
        None => Err(Error::Damaged { reason: "it names no format".into() }),
    }
}
