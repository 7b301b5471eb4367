//! JSON Schemas of our own files, for editors: told by the readers themselves.
//!
//! A reader is run once over nothing, while each table notes what is taken from it: so a schema has exactly the keys,
//! types and words that the reader has. It says less than the reader (nothing of what two fields mean together,
//! little of what a text must be) and never more: a file that is read without an error fits its schema.

use serde_json::{Map, Value, json};

use super::OwnKind;
use super::check::{Check, Says};
use super::leaf::Leaf;
use super::reader::Reader;
use super::{gateway, node, session, template, wharf};
use crate::source::Source;

/// A schema, or a part of one.
pub(crate) type Schema = Value;

/// The JSON Schema of a kind of file as text, ended by a line end: what `samples/schema` keeps.
///
/// TOML editors take it by a first line `#:schema PATH`.
#[must_use]
pub fn schema(kind: OwnKind) -> String {
    let source = Source::new("", "");
    let mut reader = Reader::new(&source, kind);
    let keys = kind.tables().first().expect("every kind declares its top level first");
    let told = match kind {
        OwnKind::Wharf => reader.tell(keys, wharf::read),
        OwnKind::Session => reader.tell(keys, session::read),
        OwnKind::Template => reader.tell(keys, template::read),
        OwnKind::Gateway => reader.tell(keys, gateway::read),
        OwnKind::Node => reader.tell(keys, node::read),
    };
    let mut whole = json!({ "$schema": "http://json-schema.org/draft-07/schema#" });
    merge(&mut whole, told);
    merge(&mut whole, json!({ "title": kind.shown() }));
    format!("{whole:#}\n")
}

/// The file name of a kind's schema.
#[must_use]
pub fn schema_name(kind: OwnKind) -> &'static str {
    match kind {
        OwnKind::Wharf => "wharf.schema.json",
        OwnKind::Session => "session.schema.json",
        OwnKind::Template => "template.schema.json",
        OwnKind::Gateway => "gateway.schema.json",
        OwnKind::Node => "node.schema.json",
    }
}

fn merge(into: &mut Schema, from: Schema) {
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        into.extend(from);
    }
}

/// One value with what its field asks of it.
pub(crate) fn leaf<T: Leaf>(check: Check<T>) -> Schema {
    let schema = T::schema();
    match check.says {
        Says::Nothing => schema,
        Says::Pattern(pattern) if schema.get("pattern").is_some() => {
            json!({ "allOf": [schema, { "pattern": pattern }] })
        }
        Says::Pattern(pattern) => with(schema, json!({ "pattern": pattern })),
        Says::Least(least) => with(schema, json!({ "minimum": least })),
        Says::Only(number) => with(schema, json!({ "const": number })),
    }
}

fn with(mut schema: Schema, more: Schema) -> Schema {
    merge(&mut schema, more);
    schema
}

/// A text that fits a regular expression.
pub(crate) fn text_like(pattern: &str) -> Schema {
    json!({ "type": "string", "pattern": pattern })
}

/// A list of values.
pub(crate) fn list_of(items: Schema) -> Schema {
    with(json!({ "type": "array" }), Map::from_iter([("items".to_owned(), items)]).into())
}

/// One or the other.
pub(crate) fn either(schemas: [Schema; 2]) -> Schema {
    Map::from_iter([("anyOf".to_owned(), Value::Array(schemas.into()))]).into()
}

/// A table whose keys are names that the administrator gives.
pub(crate) fn named(keys: Check<String>, values: Schema) -> Schema {
    let mut names = leaf(keys);
    // A key is a string anyway.
    names.as_object_mut().map(|names| names.remove("type"));
    let parts = [("propertyNames".to_owned(), names), ("additionalProperties".to_owned(), values)];
    with(json!({ "type": "object" }), Map::from_iter(parts).into())
}

/// What a table of fixed keys has told so far.
#[derive(Debug, Default)]
pub(crate) struct Outline {
    properties: Map<String, Value>,
    required: Vec<&'static str>,
}

impl Outline {
    /// Notes a key.
    pub(crate) fn add(&mut self, name: &str, schema: Schema) {
        self.properties.insert(name.to_owned(), schema);
    }

    /// Notes that a key must be there.
    pub(crate) fn require(&mut self, name: &'static str) {
        self.required.push(name);
    }

    /// The table's schema.
    pub(crate) fn schema(self) -> Schema {
        let mut schema = json!({ "type": "object", "properties": self.properties,
            "additionalProperties": false });
        if !self.required.is_empty() {
            merge(&mut schema, json!({ "required": self.required }));
        }
        schema
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(kind: OwnKind) -> Value {
        serde_json::from_str(&schema(kind)).expect("a schema is JSON")
    }

    /// The keys of a table in a schema, or in the second of two forms.
    fn keys_at(schema: &Value, at: &str) -> Vec<String> {
        let mut schema = schema;
        for part in at.split('.').filter(|part| !part.is_empty()) {
            let inner = match part {
                "*" => &schema["additionalProperties"],
                name => &schema["properties"][name],
            };
            schema = if inner["anyOf"].is_array() { &inner["anyOf"][1] } else { inner };
        }
        let properties = schema["properties"].as_object();
        properties.map(|keys| keys.keys().cloned().collect()).unwrap_or_default()
    }

    #[test]
    fn a_schema_has_exactly_the_keys_of_the_reader() {
        for kind in OwnKind::ALL {
            let schema = parsed(kind);
            for table in kind.tables() {
                let mut names: Vec<_> = table.names.iter().map(|&name| name.to_owned()).collect();
                names.sort();
                assert_eq!(keys_at(&schema, table.at), names, "{kind:?} [{}]", table.at);
            }
        }
    }

    #[test]
    fn what_must_be_there_is_required_and_what_stands_in_for_another_is_not() {
        assert_eq!(parsed(OwnKind::Session)["required"], json!(["workbench"]));
        assert_eq!(parsed(OwnKind::Gateway)["required"], json!(["port-range"]));
        let wharf = parsed(OwnKind::Wharf);
        let workbench = &wharf["properties"]["workbenches"]["additionalProperties"];
        assert_eq!(workbench.get("required"), None);
    }

    #[test]
    fn a_template_may_offer_where_a_session_has_a_value() {
        let memory = |kind| parsed(kind)["properties"]["resources"]["properties"]["memory"].clone();
        assert!(memory(OwnKind::Session)["anyOf"].is_null());
        let choice = &memory(OwnKind::Template)["anyOf"][1];
        assert_eq!(choice["required"], json!(["choose"]));
    }
}
