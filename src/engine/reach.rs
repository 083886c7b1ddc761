//! How much of its history a forecast needs, so that no more is read.

use super::classical;
use super::config::{Missing, Outliers, SeriesEnd};
use super::expert::Expert;
use super::model::Model;
use super::panel::Panel;
use super::prior;
use super::spec::KnownSeries;

/// What the series of a training say together, looked through once for all forecasts.
#[derive(Debug, Clone, Default)]
pub struct Whole {
    /// What serves some of them alone.
    alone: Vec<Expert>,
    /// The newest of their ends.
    newest: Option<i64>,
}

impl Whole {
    fn of(series: &[KnownSeries]) -> Whole {
        let mut whole = Whole::default();
        for known in series {
            whole.newest = whole.newest.max(Some(known.end()));
            whole.alone.extend(known.only.filter(|expert| !whole.alone.contains(expert)));
        }
        whole
    }
}

impl Model {
    fn whole(&self) -> &Whole {
        self.whole.get_or_init(|| Whole::of(&self.spec.series))
    }

    /// Steps before an origin that decide on a forecast; `None` where all do: effects of plans and dates are relative
    /// to a series' oldest values, sums need common steps, outliers are told by all values, and gaps filled from them.
    pub fn reach(&self) -> Option<usize> {
        let (spec, season) = (&self.spec, self.spec.frame.calendar.season());
        let fills = matches!(spec.options.missing(), Missing::Previous | Missing::Interpolate);
        if spec.steps.is_some() || spec.options.hierarchy.is_some() || spec.options.outliers != Outliers::Keep || fills
        {
            return None;
        }
        let windows = self.members.iter().map(|member| member.features.reach()).collect::<Option<Vec<usize>>>()?;
        let priors = prior::of(season).into_iter().map(|prior| prior.sight.reach());
        let alone = self.whole().alone.iter().copied();
        let experts = spec.blend.shares.iter().map(|(expert, _)| *expert).chain(alone);
        let methods = experts.filter_map(|expert| match expert {
            Expert::Classical(method) => Some(method.reach(season)),
            _ => None,
        });
        let least = classical::Method::Naive.reach(season);
        windows.into_iter().chain(priors).chain(methods).max().map(|reach| reach.max(least))
    }

    /// The first step that forecasts of some series need, as they ended in training.
    pub fn needs_from<'a>(&self, wanted: impl Iterator<Item = &'a KnownSeries>, reach: usize) -> Option<i64> {
        wanted.map(KnownSeries::end).min().map(|end| end - reach as i64)
    }

    /// Whether a panel without the rows before a step says of some series what one of all rows would.
    pub fn is_enough<'a>(
        &self,
        panel: &Panel,
        mut wanted: impl Iterator<Item = &'a KnownSeries>,
        (before, reach): (i64, usize),
        newest: Option<i64>,
    ) -> bool {
        let newest = panel.series.iter().map(|series| series.end()).max().max(newest);
        let newest_trained = self.whole().newest;
        // How usual a gap is for a series, all of its rows decide.
        let ends_by_gaps = self.spec.options.series_end == SeriesEnd::Auto;
        wanted.all(|known| {
            let found = panel.series.binary_search_by(|series| series.key.cmp(&known.key)).ok();
            let Some(series) = found.map(|at| &panel.series[at]) else { return known.first >= before };
            let ended = Some(known.end()) < newest_trained && series.end() == known.end();
            let end_is_sure = !ends_by_gaps || Some(series.end()) == newest || ended;
            end_is_sure && (known.first >= before || series.end() - reach as i64 >= before)
        })
    }
}
