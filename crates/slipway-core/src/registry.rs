// SPDX-License-Identifier: Apache-2.0
//! Which servable answers a request, and what is reported about versions: one snapshot that the
//! control plane publishes and every request reads. The control plane alone decides what is in it.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;

use crate::{Code, Error, Gone, Ledger, LoadReport, ModelMeter, Result, Servable, ServableId};

/// Where a version is on its way, numbered as `ModelVersionStatus.State`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum State {
    Start = 10,
    Loading = 20,
    Available = 30,
    Unloading = 40,
    End = 50,
}

impl State {
    /// Every state, in the order of a version's life.
    pub const ALL: [State; 5] =
        [State::Start, State::Loading, State::Available, State::Unloading, State::End];

    /// The state with this name, such as `AVAILABLE`.
    pub fn from_name(name: &str) -> Option<State> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    pub fn name(self) -> &'static str {
        match self {
            State::Start => "START",
            State::Loading => "LOADING",
            State::Available => "AVAILABLE",
            State::Unloading => "UNLOADING",
            State::End => "END",
        }
    }
}

/// What is reported about one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionStatus {
    pub version: i64,
    pub state: State,
    pub code: Code,
    /// Empty unless `code` is an error.
    pub message: String,
}

/// Which version of a model a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VersionChoice {
    /// The highest available.
    Latest,
    Specific(i64),
    Label(String),
}

/// One model as it is published.
#[derive(Debug, Default)]
pub struct Model {
    /// False for a model that has been taken out of the configuration: only its past is reported.
    pub configured: bool,
    /// The versions that answer requests.
    pub routes: BTreeMap<i64, Arc<Servable>>,
    pub labels: HashMap<String, i64>,
    /// Every version seen so far, the newest first.
    pub statuses: Vec<VersionStatus>,
    /// Of a model that is configured: counts the requests for it.
    pub meter: Option<Arc<ModelMeter>>,
}

/// Everything that requests are answered from, at one moment.
#[derive(Debug, Default)]
pub struct Snapshot {
    pub models: BTreeMap<String, Model>,
}

impl Snapshot {
    /// The servable that answers a request; error texts as TensorFlow Serving's.
    ///
    /// # Errors
    /// INVALID_ARGUMENT without a name or with a label nobody set, NOT_FOUND where nothing answers.
    pub fn servable(&self, model: &str, choice: &VersionChoice) -> Result<&Arc<Servable>> {
        if model.is_empty() {
            return Err(Error::invalid_argument("ModelSpec has no name specified."));
        }
        let found = self.models.get(model);
        let version = match choice {
            VersionChoice::Latest => {
                let latest = found.and_then(|model| model.routes.last_key_value());
                return latest.map(|(_, servable)| servable).ok_or_else(|| {
                    Error::not_found(format!("Servable not found for request: Latest({model})"))
                });
            }
            VersionChoice::Specific(version) => *version,
            VersionChoice::Label(label) => self.labelled(model, label)?,
        };
        found.and_then(|model| model.routes.get(&version)).ok_or_else(|| {
            Error::not_found(format!(
                "Servable not found for request: Specific({model}, {version})"
            ))
        })
    }

    /// What is known about a model's versions, the newest first, or about the one asked for.
    ///
    /// # Errors
    /// NOT_FOUND when nothing is known; INVALID_ARGUMENT for a label nobody set.
    pub fn statuses(&self, model: &str, choice: &VersionChoice) -> Result<&[VersionStatus]> {
        let known = self.models.get(model).map_or(&[][..], |model| &model.statuses);
        let version = match choice {
            VersionChoice::Latest if known.is_empty() => {
                return Err(Error::not_found(format!(
                    "Could not find any versions of model {model}"
                )));
            }
            VersionChoice::Latest => return Ok(known),
            VersionChoice::Specific(version) => *version,
            VersionChoice::Label(label) => self.labelled(model, label)?,
        };
        let position = known.iter().position(|status| status.version == version);
        position.map(|index| &known[index..=index]).ok_or_else(|| {
            Error::not_found(format!("Could not find version {version} of model {model}"))
        })
    }

    /// Whether every configured model can answer.
    pub fn is_ready(&self) -> bool {
        self.models.values().all(|model| !model.configured || !model.routes.is_empty())
    }

    fn labelled(&self, model: &str, label: &str) -> Result<i64> {
        let labels = self.models.get(model).map(|model| &model.labels);
        labels.and_then(|labels| labels.get(label)).copied().ok_or_else(|| {
            Error::invalid_argument(format!("Unrecognized servable version label: {label}"))
        })
    }
}

/// One model as the control plane wants it published.
#[derive(Clone, Debug, Default)]
pub struct Publication {
    pub configured: bool,
    /// The folder that each version which answers was loaded from.
    pub routes: BTreeMap<i64, PathBuf>,
    pub labels: HashMap<String, i64>,
    pub statuses: Vec<VersionStatus>,
}

/// The servables in memory and the current snapshot. Readers of the snapshot never wait.
///
/// A version may be in memory from two folders at once, while one takes the place of the other.
#[derive(Debug, Default)]
pub struct Registry {
    current: ArcSwap<Snapshot>,
    loaded: Mutex<HashMap<Key, Loaded>>,
    ledger: Ledger,
}

/// A version, and the folder it was loaded from.
type Key = (ServableId, PathBuf);

#[derive(Debug)]
struct Loaded {
    servable: Arc<Servable>,
    gone: Gone,
}

impl Registry {
    /// The snapshot of now; a request reads one snapshot from beginning to end.
    pub fn snapshot(&self) -> arc_swap::Guard<Arc<Snapshot>> {
        self.current.load()
    }

    /// What has been counted.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What counts the requests that name `model`; all that are not configured have one.
    pub fn meter(&self, snapshot: &Snapshot, model: &str) -> Arc<ModelMeter> {
        let configured = snapshot.models.get(model).and_then(|model| model.meter.as_ref());
        Arc::clone(configured.unwrap_or_else(|| self.ledger.of_stranger(model)))
    }

    /// Keeps a servable that was loaded from `path`, with the receiver that `Servable::new` gave; no
    /// request reaches it yet. `load` is how that went.
    ///
    /// # Errors
    /// FAILED_PRECONDITION when the same is there.
    pub fn insert(
        &self,
        servable: Arc<Servable>,
        path: PathBuf,
        gone: Gone,
        load: LoadReport,
    ) -> Result<()> {
        match self.loaded().entry((servable.id().clone(), path)) {
            Entry::Occupied(there) => {
                let (id, _) = there.key();
                Err(Error::failed_precondition(format!("{id} is loaded already")))
            }
            Entry::Vacant(free) => {
                self.ledger.loaded(&servable, load);
                free.insert(Loaded { servable, gone });
                Ok(())
            }
        }
    }

    /// Gives a servable up. The receiver's `recv` returns its backend when the last request that
    /// holds it has been answered: for the caller to drop, which may take a while.
    ///
    /// # Errors
    /// NOT_FOUND when it is not loaded, FAILED_PRECONDITION while it is routed to.
    pub fn remove(&self, id: &ServableId, path: &Path) -> Result<Gone> {
        let mut loaded = self.loaded();
        let key = (id.clone(), path.to_owned());
        let there = loaded.get(&key).ok_or_else(|| Error::not_found(not_loaded(id)))?;
        let snapshot = self.snapshot();
        let model = snapshot.models.get(&id.model);
        let route = model.and_then(|model| model.routes.get(&id.version));
        if route.is_some_and(|route| Arc::ptr_eq(route, &there.servable)) {
            return Err(Error::failed_precondition(format!("{id} still answers requests")));
        }
        drop(snapshot);
        let removed = loaded.remove(&key);
        // What is left of the version is dropped without the lock.
        drop(loaded);
        removed.map(|removed| removed.gone).ok_or_else(|| Error::not_found(not_loaded(id)))
    }

    /// Replaces the snapshot at once and whole.
    ///
    /// # Errors
    /// FAILED_PRECONDITION when a route leads to a version that is not loaded; nothing changes.
    pub fn publish(&self, models: HashMap<String, Publication>) -> Result<()> {
        let loaded = self.loaded();
        let model = |name: &str, publication: Publication| {
            let route = |(version, path)| {
                let key = (ServableId { model: name.to_owned(), version }, path);
                let found = loaded.get(&key);
                let found = found.ok_or_else(|| Error::failed_precondition(not_loaded(&key.0)))?;
                Ok((version, Arc::clone(&found.servable)))
            };
            let routes = publication.routes.into_iter().map(route).collect::<Result<_>>()?;
            let mut statuses = publication.statuses;
            statuses.sort_by_key(|status| std::cmp::Reverse(status.version));
            let labels = publication.labels;
            let configured = publication.configured;
            Ok(Model { configured, routes, labels, statuses, meter: None })
        };
        let mut models: BTreeMap<String, Model> = models
            .into_iter()
            .map(|(name, publication)| Ok((name.clone(), model(&name, publication)?)))
            .collect::<Result<_>>()?;
        self.ledger.retain(|name| models.get(name).is_some_and(|model| model.configured));
        for (name, model) in models.iter_mut().filter(|(_, model)| model.configured) {
            model.meter = Some(self.ledger.configured(name));
        }
        self.current.store(Arc::new(Snapshot { models }));
        Ok(())
    }

    fn loaded(&self) -> MutexGuard<'_, HashMap<Key, Loaded>> {
        // The map is whole between any two of its operations, so a panic elsewhere does not spoil it.
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn not_loaded(id: &ServableId) -> String {
    format!("{id} is not loaded")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Backend, Executor, Signature, Tensor};

    struct Nothing;

    impl Backend for Nothing {
        fn run(
            &self,
            _: &Signature,
            _: Vec<Tensor>,
            _: &[usize],
            _: Executor,
        ) -> Result<Vec<Tensor>> {
            Ok(Vec::new())
        }
    }

    fn id(version: i64) -> ServableId {
        ServableId { model: "m".into(), version }
    }

    fn servable(version: i64) -> (Arc<Servable>, Gone) {
        Servable::new(id(version), Default::default(), Default::default(), Box::new(Nothing))
    }

    fn routing(routes: &[(i64, &str)]) -> HashMap<String, Publication> {
        let routes = routes.iter().map(|&(version, path)| (version, path.into())).collect();
        let publication = Publication { configured: true, routes, ..Publication::default() };
        [("m".to_owned(), publication)].into()
    }

    fn insert(registry: &Registry, version: i64, path: &str) {
        let (servable, gone) = servable(version);
        registry.insert(servable, path.into(), gone, LoadReport::default()).unwrap();
    }

    fn latest(registry: &Registry) -> Arc<Servable> {
        Arc::clone(registry.snapshot().servable("m", &VersionChoice::Latest).unwrap())
    }

    fn ended(version: i64) -> VersionStatus {
        VersionStatus { version, state: State::End, code: Code::Ok, message: String::new() }
    }

    fn snapshot() -> Snapshot {
        let model = Model {
            configured: true,
            routes: [3, 7].map(|version| (version, servable(version).0)).into(),
            labels: [("stable".to_owned(), 3), ("gone".to_owned(), 1)].into(),
            statuses: vec![ended(7), ended(3), ended(1)],
            meter: None,
        };
        Snapshot { models: [("m".to_owned(), model)].into() }
    }

    fn label(name: &str) -> VersionChoice {
        VersionChoice::Label(name.into())
    }

    #[test]
    fn the_highest_available_version_answers_unless_another_is_asked_for() {
        let snapshot = snapshot();
        let version = |choice| snapshot.servable("m", &choice).unwrap().id().version;
        assert_eq!(version(VersionChoice::Latest), 7);
        assert_eq!(version(VersionChoice::Specific(3)), 3);
        assert_eq!(version(label("stable")), 3);
    }

    #[test]
    fn what_cannot_answer_is_named() {
        let snapshot = snapshot();
        let error = |model, choice| snapshot.servable(model, &choice).unwrap_err().to_string();
        assert_eq!(
            error("n", VersionChoice::Latest),
            "NOT_FOUND: Servable not found for request: Latest(n)"
        );
        assert_eq!(
            error("m", label("gone")),
            "NOT_FOUND: Servable not found for request: Specific(m, 1)"
        );
        assert_eq!(
            error("n", label("x")),
            "INVALID_ARGUMENT: Unrecognized servable version label: x"
        );
        assert_eq!(
            error("", VersionChoice::Latest),
            "INVALID_ARGUMENT: ModelSpec has no name specified."
        );
    }

    #[test]
    fn versions_that_ended_are_still_reported() {
        let snapshot = snapshot();
        assert_eq!(snapshot.statuses("m", &VersionChoice::Latest).unwrap().len(), 3);
        assert_eq!(snapshot.statuses("m", &label("gone")).unwrap(), [ended(1)]);
        assert!(snapshot.statuses("m", &VersionChoice::Specific(2)).is_err());
        assert!(snapshot.statuses("n", &VersionChoice::Latest).is_err());
    }

    #[test]
    fn ready_means_that_each_configured_model_answers() {
        let mut snapshot = snapshot();
        assert!(snapshot.is_ready());
        snapshot.models.insert("empty".into(), Model { configured: true, ..Model::default() });
        assert!(!snapshot.is_ready());
        snapshot.models.insert("empty".into(), Model::default());
        assert!(snapshot.is_ready());
    }

    #[test]
    fn a_route_to_what_is_not_loaded_changes_nothing() {
        let registry = Registry::default();
        insert(&registry, 1, "a");
        registry.publish(routing(&[(1, "a")])).unwrap();
        assert!(registry.publish(routing(&[(1, "a"), (2, "a")])).is_err());
        assert!(registry.publish(routing(&[(1, "b")])).is_err());
        assert_eq!(latest(&registry).id().version, 1);
    }

    #[test]
    fn a_version_is_gone_when_its_last_request_has_let_go() {
        let registry = Registry::default();
        insert(&registry, 1, "a");
        registry.publish(routing(&[(1, "a")])).unwrap();
        let remove = || registry.remove(&id(1), Path::new("a"));
        assert!(remove().is_err(), "it is still routed to");
        let held = latest(&registry);
        registry.publish(routing(&[])).unwrap();
        let gone = remove().unwrap();
        assert!(gone.try_recv().is_err());
        drop(held);
        assert!(gone.recv().is_ok());
        assert!(remove().is_err(), "it is gone");
    }

    #[test]
    fn a_version_from_another_folder_takes_the_place_of_the_first() {
        let registry = Registry::default();
        insert(&registry, 1, "a");
        registry.publish(routing(&[(1, "a")])).unwrap();
        let first = latest(&registry);
        insert(&registry, 1, "b");
        assert!(Arc::ptr_eq(&latest(&registry), &first));
        registry.publish(routing(&[(1, "b")])).unwrap();
        assert!(!Arc::ptr_eq(&latest(&registry), &first));
        drop(registry.remove(&id(1), Path::new("a")).unwrap());
        assert!(registry.remove(&id(1), Path::new("b")).is_err(), "it is routed to");
    }
}
