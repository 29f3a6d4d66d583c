//! The caller, as everything behind the edge knows them.

use domain::{
    Timestamp,
    order::Party,
    values::{CustomerId, UserId},
};
use serde::{Deserialize, Serialize};

/// What a caller may do. In a token and on the command line it is written in small letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Buys; sees and changes their own orders only.
    Customer,
    /// Runs the shop.
    Operator,
}

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// The token's `sub`.
    pub subject: String,
    /// What they may do.
    pub role: Role,
    /// From when on the token is refused, the leeway for differing clocks included.
    pub expires_at: Timestamp,
}

impl Viewer {
    /// The customer this caller is (operators can buy too). Derived from the subject, always the same one.
    pub fn customer(&self) -> CustomerId {
        CustomerId::named(&self.subject)
    }

    /// Who this caller is to others: the same person as the customer.
    pub fn user(&self) -> UserId {
        self.customer().into()
    }

    /// On whose behalf they act.
    pub fn party(&self) -> Party {
        match self.role {
            Role::Customer => Party::Customer(self.customer()),
            Role::Operator => Party::Operator,
        }
    }

    /// Callers of one scope see exactly the same; their equal subscriptions are executed once. Operators, too, are somebody
    /// to others: they have feeds of their own.
    pub fn scope(&self) -> String {
        match self.role {
            Role::Customer => format!("customer:{}", self.subject),
            Role::Operator => format!("operator:{}", self.subject),
        }
    }
}
