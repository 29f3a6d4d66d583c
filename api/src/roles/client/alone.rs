//! No server runs: the stores are opened in this process, and its own schema answers.

use std::{sync::Arc, time::Duration};

use async_graphql::{Request, Variables};
use domain::Timestamp;
use infrastructure::clock::{Clock, IdSource, SystemClock, SystemIds};
use serde_json::Value;

use super::{ACTOR, answer};
use crate::{
    auth::{Role, Viewer},
    bootstrap::{self, Core, Duty},
    config::Config,
    data_dir::DataDir,
    engine::{CallContext, RequestId},
    error_code::ErrorCode,
    graphql::{self, SchemaLimits, ShopSchema},
    roles::Failure,
};

/// The opened stores, with the projections at work.
pub(super) struct Alone {
    schema: ShopSchema,
    core: Core,
    ids: Arc<dyn IdSource>,
    grace: Duration,
    /// Nobody else may open the stores meanwhile.
    _data_dir: Option<DataDir>,
}

impl Alone {
    /// Opens the stores and starts the projections.
    pub(super) async fn start(config: &Config) -> Result<Self, Failure> {
        let (events, rows) = (config.event_store.url.is_some(), config.read_store.url.is_some());
        // Stores that others share are only looked at from here: whoever works carries out what is ordered.
        let duty = if events && rows { Duty::Serve } else { Duty::All };
        if !events && !config.data_dir.join("events.db").exists() {
            let message = format!("there are no events in `{}`", config.data_dir.display());
            let advice = "check `--data-dir`; a server must have been started there once";
            return Err(Failure::said("EVENT_STORE_UNUSABLE", message, advice));
        }
        let data_dir = match duty {
            Duty::All => Some(DataDir::open(&config.data_dir).map_err(bootstrap::StartError::from)?),
            Duty::Serve | Duty::Work => None,
        };
        let core = Core::start(config, duty).await?;
        for name in projections::names().into_iter().filter(|_| duty == Duty::All) {
            // Whoever answers has begun its work. What it says does not matter: there are no keys to say anything about.
            let _ = core.projections.check(name, &[]).await;
        }
        let (ids, clock): (Arc<dyn IdSource>, Arc<dyn Clock>) = (Arc::new(SystemIds), Arc::new(SystemClock));
        let services = bootstrap::services(config, &core, &ids, &clock);
        let schema = graphql::schema(services, SchemaLimits::default());
        let grace = Duration::from_secs(config.shutdown_grace_s.get());
        Ok(Self { schema, core, ids, grace, _data_dir: data_dir })
    }

    /// Executes a document and gives its data.
    pub(super) async fn execute(&self, document: &str, variables: Value) -> Result<Value, Failure> {
        let viewer = Viewer { subject: ACTOR.to_owned(), role: Role::Operator, expires_at: Timestamp::MAX_UTC };
        let call = CallContext { viewer, request_id: RequestId::fresh(&*self.ids), resume_after: None };
        let request = Request::new(document).variables(Variables::from_json(variables));
        let response = self.schema.execute(call.attach(request)).await;
        let answer = serde_json::to_value(&response).expect("a response is JSON");
        // What has no code here is what a server hides behind one: whoever runs this may see the cause.
        answer::data(answer, ErrorCode::Internal.as_str())
    }

    /// Finishes what is in flight.
    pub(super) async fn stop(self) {
        self.core.lifecycle.stop(self.grace).await;
    }
}
