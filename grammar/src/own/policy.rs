//! `[policy]` of `wharf.toml`: how the engine acts on what the files ask for.

use serde_json::json;
use toml::de::DeValue;

use super::check::{any, at_least_one, some_time};
use super::fields::UpdateApply;
use super::leaf::{Count, Leaf, Wrong, words};
use super::schema::{self, Schema};
use super::table::{Keys, Table};
use super::window::Window;
use crate::value::Millis;

/// `[policy]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyTable {
    /// Which steps wait for a person.
    pub apply: Option<PolicyApply>,
    /// When running sessions take a change up.
    pub session_restart: Option<UpdateApply>,
    /// How long harm that a change of files would do waits.
    pub harm_delay: Option<Millis>,
    /// More sessions harmed than this need a person.
    pub max_harmed: Option<u32>,
    /// So many nodes drain at once, at least one.
    pub max_unavailable: Option<u32>,
    /// So many sessions start at once.
    pub concurrent_starts: Option<Starts>,
    /// How a session that does not start is tried again.
    pub back_off: Option<BackOffTable>,
    /// Restarts only inside one of these.
    pub windows: Option<Vec<Window>>,
}

words! {
    /// Which steps wait for a person.
    PolicyApply {
        /// None.
        Auto = "auto",
        /// Those that harm.
        ConfirmHarmful = "confirm-harmful",
        /// All.
        Confirm = "confirm",
    }
}

/// How many sessions start at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starts {
    /// As many as the machine has processors.
    Cores,
    /// So many, at least one.
    Count(u32),
}

impl Leaf for Starts {
    const TAKES: &'static str = "\"cores\" or a whole number";

    fn schema() -> Schema {
        schema::either([json!({ "const": "cores" }), schema::leaf(at_least_one())])
    }

    fn parse(value: &DeValue<'_>) -> Result<Self, Wrong> {
        if let DeValue::String(word) = value {
            return match &**word {
                "cores" => Ok(Starts::Cores),
                other if other.parse::<u32>().is_ok() => {
                    Err(Wrong::Type(Some(format!("write {other}, no quotes"))))
                }
                _ => Err(Wrong::value("neither \"cores\" nor a number")),
            };
        }
        let count = Count::parse(value)?;
        (at_least_one().holds)(&count).map(|()| Starts::Count(count.0))
    }
}

/// `policy.back-off`: how a session that does not start is tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackOffTable {
    /// The first wait.
    pub first: Option<Millis>,
    /// The longest.
    pub max: Option<Millis>,
    /// Not again after so many failures ...
    pub give_up_after: Option<u32>,
    /// ... within so long.
    pub within: Option<Millis>,
}

pub(crate) static POLICY: Keys = Keys {
    at: "policy",
    names: &[
        "apply",
        "session-restart",
        "harm-delay",
        "max-harmed",
        "max-unavailable",
        "concurrent-starts",
        "back-off",
        "windows",
    ],
};

pub(crate) static BACK_OFF: Keys =
    Keys { at: "policy.back-off", names: &["first", "max", "give-up-after", "within"] };

/// Reads `[policy]`.
pub(crate) fn read(table: &mut Table<'_, '_>) -> Option<PolicyTable> {
    let policy = PolicyTable {
        apply: table.take("apply", any()),
        session_restart: table.take("session-restart", any()),
        harm_delay: table.take("harm-delay", any()),
        max_harmed: table.take("max-harmed", any()).map(|Count(most)| most),
        max_unavailable: table.take("max-unavailable", at_least_one()).map(|Count(most)| most),
        concurrent_starts: table.take("concurrent-starts", any()),
        back_off: table.sub("back-off", &BACK_OFF, read_back_off),
        windows: table.list("windows", any()),
    };
    if policy.windows.as_ref().is_some_and(Vec::is_empty) {
        table.refuse(
            "windows",
            Wrong::value("an empty list: no time is allowed")
                .or_write("leave it out to allow any time"),
        );
    }
    Some(policy)
}

fn read_back_off(table: &mut Table<'_, '_>) -> Option<BackOffTable> {
    let back_off = BackOffTable {
        first: table.take("first", some_time()),
        max: table.take("max", some_time()),
        give_up_after: table.take("give-up-after", at_least_one()).map(|Count(times)| times),
        within: table.take("within", some_time()),
    };
    if let (Some(first), Some(max)) = (back_off.first, back_off.max)
        && first > max
    {
        table.contradiction(
            &format!("the first wait ({first}) is longer than the longest ({max})"),
            &["first", "max"],
            "lower `first`, or raise `max`",
        );
    }
    Some(back_off)
}
