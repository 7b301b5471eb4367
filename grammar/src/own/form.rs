//! Fields that may be a choice: [`Plain`] values in sessions, [`Offered`] ones in templates.
//!
//! A field that a person may choose is written as a table in the field's own place,
//! `memory = { choose = ["4GiB", "8GiB"], default = "8GiB" }`, so that there is no second language.

use std::collections::BTreeMap;
use std::fmt::Debug;

use toml::de::DeValue;

use super::check::{Check, one_line};
use super::leaf::{Leaf, Wrong};
use super::reader::{Item, Reader};
use super::schema::{self, Schema};
use super::table::{Keys, Table};

/// How a field is written that may be a choice.
pub trait Form: Clone + Debug + PartialEq + Eq {
    /// The field of a value.
    type Field<T: Clone + Debug + PartialEq + Eq>: Clone + Debug + PartialEq + Eq;

    /// The values that it may take: one, or those to choose from.
    fn values<T: Clone + Debug + PartialEq + Eq>(field: &Self::Field<T>) -> &[T];
}

/// Sessions: a field is its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plain {}

/// Templates: a field is its value, or a choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Offered {}

/// A field of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field<T> {
    /// Every session has this.
    Fixed(T),
    /// Whoever starts a session chooses.
    Choose {
        /// What there is to choose from: at least one, none twice.
        options: Vec<T>,
        /// What is chosen when nobody does; one of the options.
        default: Option<T>,
        /// How the page calls it.
        label: Option<String>,
    },
}

impl Form for Plain {
    type Field<T: Clone + Debug + PartialEq + Eq> = T;

    fn values<T: Clone + Debug + PartialEq + Eq>(field: &T) -> &[T] {
        std::slice::from_ref(field)
    }
}

impl Form for Offered {
    type Field<T: Clone + Debug + PartialEq + Eq> = Field<T>;

    fn values<T: Clone + Debug + PartialEq + Eq>(field: &Field<T>) -> &[T] {
        match field {
            Field::Fixed(value) => std::slice::from_ref(value),
            Field::Choose { options, .. } => options,
        }
    }
}

/// A form that can be read; apart from [`Form`], so that the reader stays inside this package.
pub(crate) trait ReadForm: Form {
    /// Reads a field that stands as `item`.
    fn read<T: Leaf + Clone + Debug + PartialEq + Eq>(
        reader: &mut Reader<'_>,
        path: &str,
        item: &Item<'_>,
        check: Check<T>,
    ) -> Option<Self::Field<T>>;

    /// What is written for such a field.
    fn schema<T: Leaf + Clone + Debug + PartialEq + Eq>(
        reader: &mut Reader<'_>,
        check: Check<T>,
    ) -> Schema;

    /// Takes a field that may be absent.
    fn take<T: Leaf + Clone + Debug + PartialEq + Eq>(
        table: &mut Table<'_, '_>,
        name: &'static str,
        check: Check<T>,
    ) -> Option<Self::Field<T>> {
        table.tell(name, |reader| Self::schema(reader, check));
        let item = table.item(name)?;
        let path = table.path_of(name);
        Self::read(table.reader(), &path, item, check)
    }

    /// Takes a table of such fields, whose keys are names that the administrator gives.
    fn entries<T: Leaf + Clone + Debug + PartialEq + Eq>(
        table: &mut Table<'_, '_>,
        name: &'static str,
        keys: Check<String>,
        check: Check<T>,
    ) -> Option<BTreeMap<String, Self::Field<T>>> {
        table.tell(name, |reader| schema::named(keys, Self::schema(reader, check)));
        table.each(name, keys, |reader, path, item| Self::read(reader, path, item, check))
    }
}

impl ReadForm for Plain {
    fn schema<T: Leaf + Clone + Debug + PartialEq + Eq>(
        _: &mut Reader<'_>,
        check: Check<T>,
    ) -> Schema {
        schema::leaf(check)
    }

    fn read<T: Leaf + Clone + Debug + PartialEq + Eq>(
        reader: &mut Reader<'_>,
        path: &str,
        item: &Item<'_>,
        check: Check<T>,
    ) -> Option<T> {
        if is_choice(item) {
            let advice =
                "only a template (templates.d) can offer a choice: write one value".to_owned();
            reader.refuse(path, item, T::TAKES, Wrong::Type(Some(advice)));
            return None;
        }
        reader.leaf(path, item, check)
    }
}

static CHOICE: Keys = Keys { at: "*", names: &["choose", "default", "label"] };

fn is_choice(item: &Item<'_>) -> bool {
    matches!(item.get_ref(), DeValue::Table(entries)
        if CHOICE.names.iter().any(|name| entries.contains_key(*name)))
}

impl ReadForm for Offered {
    fn schema<T: Leaf + Clone + Debug + PartialEq + Eq>(
        reader: &mut Reader<'_>,
        check: Check<T>,
    ) -> Schema {
        let choice = reader.tell(&CHOICE, |table| read_choice(table, check));
        schema::either([schema::leaf(check), choice])
    }

    fn read<T: Leaf + Clone + Debug + PartialEq + Eq>(
        reader: &mut Reader<'_>,
        path: &str,
        item: &Item<'_>,
        check: Check<T>,
    ) -> Option<Field<T>> {
        if !matches!(item.get_ref(), DeValue::Table(_)) {
            return reader.leaf(path, item, check).map(Field::Fixed);
        }
        reader.sub(path.to_owned(), item, &CHOICE, |table| read_choice(table, check))
    }
}

fn read_choice<T: Leaf + Clone + Debug + PartialEq + Eq>(
    table: &mut Table<'_, '_>,
    check: Check<T>,
) -> Option<Field<T>> {
    let had_default = table.has("default");
    let advice = "a choice is { choose = [...], default = ..., label = \"...\" }";
    table.must_have("choose", advice);
    let options = table.list::<T>("choose", check);
    let default = table.take::<T>("default", check);
    let label = table.take("label", one_line());
    let options = options?;
    check_options(table, &options, default.as_ref());
    (default.is_some() || !had_default).then_some(Field::Choose { options, default, label })
}

fn check_options<T: PartialEq>(table: &mut Table<'_, '_>, options: &[T], default: Option<&T>) {
    if options.is_empty() {
        table.refuse("choose", Wrong::value("nothing to choose from"));
        return;
    }
    // Bounded: a page with more than this to choose from is no page, and the search below is quadratic.
    const OPTIONS_MAX: usize = 200;
    if options.len() > OPTIONS_MAX {
        table.refuse("choose", Wrong::value(format!("more than {OPTIONS_MAX} to choose from")));
        return;
    }
    if (1..options.len()).any(|at| options[..at].contains(&options[at])) {
        table.refuse("choose", Wrong::value("one of them stands here twice"));
    }
    if default.is_some_and(|default| !options.contains(default)) {
        table.refuse("default", Wrong::value("not one of those to choose from"));
    }
}
