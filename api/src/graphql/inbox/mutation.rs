//! Commands to the caller's own inbox.

use std::collections::BTreeMap;

use async_graphql::{Context, Error, InputObject, Object};
use chrono::SubsecRound as _;
use domain::{Timestamp, inbox::InboxCommand};

use super::{
    errors::{InboxUserError, rejected},
    types::{Inbox, NotificationGroupInput, NotificationPreferenceInput},
};
use crate::{
    error_code::ErrorCode,
    graphql::{
        call::{self, CommandIdentity, services, viewer},
        user_error::{Done, payloads},
    },
};

/// How exact moments in the log are, in digits of a second.
const MOMENT_DIGITS: u16 = 6;

/// What the caller knows of.
#[derive(Debug, InputObject)]
struct NotificationsMarkSeenInput {
    /// What happened until then: the moment of the newest notification that is shown.
    up_to: Timestamp,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    idempotency_key: Option<String>,
}

/// What the caller has read.
#[derive(Debug, InputObject)]
struct NotificationsMarkReadInput {
    /// Only these; all, if it is left out.
    group: Option<NotificationGroupInput>,
    /// What happened until then: the moment of the newest notification that is shown.
    up_to: Timestamp,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    idempotency_key: Option<String>,
}

/// Which notifications the caller wants. Whoever says nothing wants all.
#[derive(Debug, InputObject)]
struct NotificationPreferencesUpdateInput {
    /// The kinds that change, each once; what is not named stays.
    preferences: Vec<NotificationPreferenceInput>,
    /// Makes a repeat of this request harmless: it gets the first one's outcome.
    idempotency_key: Option<String>,
}

payloads! {
    inbox: Inbox, error: InboxUserError;
    /// What came of `notificationsMarkSeen`.
    NotificationsMarkSeenPayload
    /// What came of `notificationsMarkRead`.
    NotificationsMarkReadPayload
    /// What came of `notificationPreferencesUpdate`.
    NotificationPreferencesUpdatePayload
}

/// What came of a command, or everything that was wrong with it.
type Outcome = Result<Done<Inbox>, Vec<InboxUserError>>;

/// `notificationsMarkSeen`, `notificationsMarkRead`, `notificationPreferencesUpdate`.
#[derive(Debug, Default)]
pub(crate) struct InboxMutation;

#[Object]
impl InboxMutation {
    /// Says that the caller knows of what happened until a moment: it is counted no longer. Marks only move forwards.
    async fn notifications_mark_seen(
        &self,
        context: &Context<'_>,
        input: NotificationsMarkSeenInput,
    ) -> Result<NotificationsMarkSeenPayload, Error> {
        let user = viewer(context)?.user();
        let key = input.idempotency_key.as_deref();
        let identity = CommandIdentity::of(context, "notificationsMarkSeen", key, &input)?;
        let command = InboxCommand::MarkSeen { user, up_to: moment(input.up_to) };
        Ok(execute(context, command, &identity).await?.into())
    }

    /// Says that the caller has read what happened until a moment, all of it or one group, and so has seen it.
    async fn notifications_mark_read(
        &self,
        context: &Context<'_>,
        input: NotificationsMarkReadInput,
    ) -> Result<NotificationsMarkReadPayload, Error> {
        let user = viewer(context)?.user();
        let key = input.idempotency_key.as_deref();
        let identity = CommandIdentity::of(context, "notificationsMarkRead", key, &input)?;
        let group = input.group.as_ref().map(NotificationGroupInput::group).transpose()?;
        let command = InboxCommand::MarkRead { user, group, up_to: moment(input.up_to) };
        Ok(execute(context, command, &identity).await?.into())
    }

    /// Says which kinds of notifications the caller wants.
    async fn notification_preferences_update(
        &self,
        context: &Context<'_>,
        input: NotificationPreferencesUpdateInput,
    ) -> Result<NotificationPreferencesUpdatePayload, Error> {
        let user = viewer(context)?.user();
        let key = input.idempotency_key.as_deref();
        let identity = CommandIdentity::of(context, "notificationPreferencesUpdate", key, &input)?;
        let wanted: BTreeMap<_, _> =
            input.preferences.iter().map(|preference| (preference.kind.into(), preference.is_wanted)).collect();
        if wanted.len() != input.preferences.len() {
            return Err(ErrorCode::BadUserInput.error("`preferences` names a kind twice"));
        }
        Ok(execute(context, InboxCommand::UpdatePreferences { user, wanted }, &identity).await?.into())
    }
}

/// A mark as exact as the log is. Nothing happened before the epoch, and not every moment before it can be written down.
fn moment(up_to: Timestamp) -> Timestamp {
    up_to.max(Timestamp::UNIX_EPOCH).trunc_subsecs(MOMENT_DIGITS)
}

async fn execute(context: &Context<'_>, command: InboxCommand, identity: &CommandIdentity) -> Result<Outcome, Error> {
    let stream = viewer(context)?.user().uuid();
    let executed = call::execute_at_any_version(&services(context).inboxes, stream, command, identity).await?;
    Ok(match executed {
        Ok(executed) => Ok(Done::new(Some(Inbox::from(&*executed.state)), &executed)),
        Err(rejection) => Err(vec![rejected(rejection)]),
    })
}
