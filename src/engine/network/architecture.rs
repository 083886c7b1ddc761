//! The architectures: each writes a [`Shape`]'s plan out of dense layers and fixed maps.

use serde::{Deserialize, Serialize};

use super::Shape;
use super::plan::{INPUT, Plan, Term};

/// Values that TiDE's decoder hands to each step, and units that work on them there.
const STEP_WIDTH: usize = 16;
const STEP_HIDDEN: usize = 32;
/// Output paths start at this part of the usual bound, so that training begins near zero.
const SMALL: f32 = 0.1;

/// How layers are connected. A window is the first numeric inputs, oldest value first; outputs are ordered by step.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// One layer behind the other; [`Shape::residual`] and [`Shape::skip`] say what goes around them.
    #[default]
    Chain,
    /// Doubly residual blocks (N-BEATS, Oreshkin et al. 2020): each takes what it explains out of the window and adds
    /// to the forecast. A rate above one reads means of so many values and forecasts every so many steps, with lines
    /// between (N-HiTS, Challu et al. 2023); one rate a block.
    Blocks { window: usize, steps: usize, rates: Vec<usize> },
    /// Dense encoder, and a decoder whose last layers are shared by the steps (TiDE, Das et al. 2023). `planned` are
    /// the numeric inputs at which covariates begin that have one value a step.
    Tide { window: usize, steps: usize, planned: Vec<usize> },
}

impl Shape {
    /// Whether the fields agree with each other; no other shape has a plan.
    pub(super) fn is_sound(&self) -> bool {
        let fits = |window: usize, steps: usize| {
            window > 0 && window <= self.numeric && steps > 0 && self.outputs.is_multiple_of(steps)
        };
        let connected = match &self.architecture {
            Architecture::Chain => true,
            Architecture::Blocks { window, steps, rates } => {
                fits(*window, *steps) && !rates.is_empty() && !rates.contains(&0)
            }
            Architecture::Tide { window, steps, planned } => {
                fits(*window, *steps) && planned.iter().all(|at| at.saturating_add(*steps) <= self.numeric)
            }
        };
        connected && self.outputs > 0 && !self.hidden.contains(&0) && self.offset.is_none_or(|at| at < self.numeric)
    }

    pub(super) fn plan(&self) -> Plan {
        let mut plan = Plan::of_inputs(self);
        match &self.architecture {
            Architecture::Chain => self.chain(&mut plan),
            Architecture::Blocks { window, steps, rates } => self.blocks(&mut plan, (*window, *steps), rates),
            Architecture::Tide { window, steps, planned } => self.tide(&mut plan, (*window, *steps), planned),
        }
        if let Some(from) = self.offset {
            let term = |into| Term { from, into, width: 1, weight: 1.0 };
            plan.mix(INPUT, plan.output, (0..self.outputs).step_by(2).map(term).collect());
        }
        plan
    }

    /// Hidden layers behind each other.
    fn layers(&self, plan: &mut Plan, name: &str, mut from: usize) -> usize {
        for (i, &size) in self.hidden.iter().enumerate() {
            let width = plan.widths[from];
            let next = plan.hidden(self, &format!("{name}.{i}"), from, (width, size));
            if self.residual && i > 0 && size == width {
                plan.add(from, next);
            }
            from = next;
        }
        from
    }

    fn chain(&self, plan: &mut Plan) {
        let last = self.layers(plan, "hidden", INPUT);
        let (output, sizes) = (plan.output, (plan.widths[last], self.outputs));
        plan.linear("output", last, output, sizes, SMALL);
        if self.skip && !self.hidden.is_empty() {
            plan.product("skip", INPUT, output, (plan.widths[INPUT], self.outputs), SMALL);
        }
    }

    /// A backcast is added rather than taken away: the sign is its layer's to learn.
    fn blocks(&self, plan: &mut Plan, (window, steps): (usize, usize), rates: &[usize]) {
        let (output, inputs) = (plan.output, plan.widths[INPUT]);
        let mut left = INPUT;
        for (block, &rate) in rates.iter().enumerate() {
            let name = |part: &str| format!("block.{block}.{part}");
            let mut seen = left;
            if rate > 1 {
                let (means, pooled) = pooling(window, rate);
                seen = plan.buffer(inputs - window + pooled);
                plan.mix(left, seen, means);
                let further = Term { from: window, into: pooled, width: inputs - window, weight: 1.0 };
                plan.mix(left, seen, vec![further]);
            }
            let last = self.layers(plan, &name("hidden"), seen);
            let (width, values) = (plan.widths[last], self.outputs / steps);
            if rate > 1 {
                let (lines, knots) = interpolation(steps, rate, values);
                let coarse = plan.buffer(knots * values);
                plan.linear(&name("forecast"), last, coarse, (width, knots * values), SMALL);
                plan.mix(coarse, output, lines);
            } else {
                plan.linear(&name("forecast"), last, output, (width, self.outputs), SMALL);
            }
            if block + 1 < rates.len() {
                let backcast = plan.buffer(window);
                plan.linear(&name("backcast"), last, backcast, (width, window), SMALL);
                let next = plan.buffer(inputs);
                plan.add(left, next);
                plan.add(backcast, next);
                left = next;
            }
        }
        if self.skip {
            plan.product("skip", INPUT, output, (inputs, self.outputs), SMALL);
        }
    }

    fn tide(&self, plan: &mut Plan, (window, steps): (usize, usize), planned: &[usize]) {
        let mut code = INPUT;
        for (i, &size) in self.hidden.iter().enumerate() {
            let next = plan.buffer(size);
            self.around(plan, &format!("encoder.{i}"), (code, next), (plan.widths[code], size, size), 1.0);
            code = next;
        }
        let decoded = plan.buffer(steps * STEP_WIDTH);
        let middle = self.hidden.last().map_or(STEP_HIDDEN, |size| *size);
        self.around(plan, "decoder", (code, decoded), (plan.widths[code], middle, steps * STEP_WIDTH), 1.0);
        let width = STEP_WIDTH + planned.len();
        let mut by_step = decoded;
        if !planned.is_empty() {
            by_step = plan.buffer(steps * width);
            let step = |step| Term { from: step * STEP_WIDTH, into: step * width, width: STEP_WIDTH, weight: 1.0 };
            plan.mix(decoded, by_step, (0..steps).map(step).collect());
            let column = |(column, from): (usize, &usize)| {
                let (from, into) = (*from, STEP_WIDTH + column);
                (0..steps).map(move |step| Term { from: from + step, into: step * width + into, width: 1, weight: 1.0 })
            };
            plan.mix(INPUT, by_step, planned.iter().enumerate().flat_map(column).collect());
        }
        let output = plan.output;
        self.around(plan, "step", (by_step, output), (width, STEP_HIDDEN, self.outputs / steps), SMALL);
        if self.skip {
            let values = plan.buffer(window);
            plan.mix(INPUT, values, vec![Term { from: 0, into: 0, width: window, weight: 1.0 }]);
            plan.product("skip", values, output, (window, self.outputs), SMALL);
        }
    }

    /// TiDE's block: a hidden layer and a linear one, with a linear path around both.
    fn around(
        &self,
        plan: &mut Plan,
        name: &str,
        (from, into): (usize, usize),
        (inputs, middle, outputs): (usize, usize, usize),
        gain: f32,
    ) {
        let hidden = plan.hidden(self, &format!("{name}.hidden"), from, (inputs, middle));
        plan.linear(&format!("{name}.output"), hidden, into, (middle, outputs), gain);
        plan.product(&format!("{name}.skip"), from, into, (inputs, outputs), gain);
    }
}

/// Means over `rate` values, counted from the newest back; with their number.
fn pooling(window: usize, rate: usize) -> (Vec<Term>, usize) {
    let pooled = window.div_ceil(rate);
    let missing = pooled * rate - window;
    let term = |from: usize| {
        let into = (from + missing) / rate;
        let size = if into == 0 { rate - missing } else { rate };
        Term { from, into, width: 1, weight: 1.0 / size as f32 }
    };
    ((0..window).map(term).collect(), pooled)
}

/// Steps on straight lines between evenly spaced knots, the first and the last step among them; with their number.
fn interpolation(steps: usize, rate: usize, values: usize) -> (Vec<Term>, usize) {
    let knots = steps.div_ceil(rate);
    let line = |step: usize| {
        let position = if steps > 1 { step as f32 * (knots - 1) as f32 / (steps - 1) as f32 } else { 0.0 };
        let below = (position as usize).min(knots.saturating_sub(2));
        let share = position - below as f32;
        let at = |knot: usize, weight| Term { from: knot * values, into: step * values, width: values, weight };
        [at(below, 1.0 - share), at((below + 1).min(knots - 1), share)]
    };
    ((0..steps).flat_map(line).filter(|term| term.weight != 0.0).collect(), knots)
}
