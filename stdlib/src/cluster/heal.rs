//! Patience with an API server that is away for a moment: it restarts, etcd elects a leader, it is overloaded.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use psprun_engine::{Context, StepError};

use super::error::explain;
use crate::target::Target;

/// How long a request is tried again while its errors heal, from its first failure on.
const PATIENCE: Duration = Duration::from_secs(60);

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// How often the user hears that a request is tried again, however many requests wait.
const TELL_EVERY: Duration = Duration::from_secs(2);

/// Tries requests again while they fail with what heals. One for a step; cheap to clone.
#[derive(Clone)]
pub struct Patience {
    context: Context,
    target: Arc<dyn Target>,
    limit: Duration,
    told: Arc<Mutex<Option<SystemTime>>>,
}

impl Patience {
    /// Patience of a minute.
    pub fn new(context: &Context, target: &Arc<dyn Target>) -> Self {
        Self {
            context: context.clone(),
            target: target.clone(),
            limit: PATIENCE,
            told: Arc::default(),
        }
    }

    /// Another limit; nothing is tried again with zero.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// Sends a request until it succeeds, fails for good, or the patience ends. `doing` as for [`explain`]. The request
    /// must be one that may be sent twice.
    ///
    /// # Errors
    /// The last error, explained.
    pub async fn request<T>(
        &self,
        doing: &str,
        request: impl AsyncFn() -> Result<T, kube::Error>,
    ) -> Result<T, StepError> {
        self.step(async || request().await.map_err(|error| explain(doing, &error)))
            .await
    }

    /// As [`Patience::request`], for work whose errors are explained already.
    ///
    /// # Errors
    /// The last error.
    pub async fn step<T>(&self, work: impl AsyncFn() -> Result<T, StepError>) -> Result<T, StepError> {
        self.attempt(|| work()).await
    }

    /// As [`Patience::step`], for a closure that makes a future of what it borrows: such a future can be sent to another
    /// thread, which the compiler does not see of an async closure that borrows.
    ///
    /// # Errors
    /// The last error.
    pub async fn attempt<T, F>(&self, work: impl Fn() -> F) -> Result<T, StepError>
    where
        F: Future<Output = Result<T, StepError>>,
    {
        let mut pause = FIRST_PAUSE;
        let mut first_failure = None;
        loop {
            let error = match work().await {
                Ok(value) => return Ok(value),
                Err(error) if error.heals => error,
                Err(error) => return Err(error),
            };
            let now = self.target.now();
            let since = *first_failure.get_or_insert(now);
            let waited = now.duration_since(since).unwrap_or_default();
            let wait = error
                .retry_after_ms
                .map_or(pause, |ms| pause.max(Duration::from_millis(ms)));
            if waited + wait > self.limit {
                return Err(error);
            }
            self.tell(&error, self.limit - waited, now);
            self.target.sleep(wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn tell(&self, error: &StepError, left: Duration, now: SystemTime) {
        let Ok(mut told) = self.told.lock() else { return };
        let lately = told.is_some_and(|told| now.duration_since(told).is_ok_and(|ago| ago < TELL_EVERY));
        if !lately {
            *told = Some(now);
            let line = error.message.lines().next().unwrap_or_default();
            // What was tried is not what matters now: many requests may wait.
            let line = match line.split_once(": ") {
                Some((doing, why)) if doing.starts_with("cannot ") => why,
                _ => line,
            };
            self.context
                .progress(format!("{line}; trying again, for {} s at most", left.as_secs()));
        }
    }
}
