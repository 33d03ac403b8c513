//! How records show their fields.

use std::{collections::BTreeMap, net::IpAddr};
use types::{
    Str,
    record::{Map, ServiceAddress},
};

/// A record whose fields can be asked for by their place in [`Selectable::schema`].
pub trait Record {
    /// The field at this place.
    #[doc(hidden)]
    fn field(&self, place: usize) -> View<'_>;
}

/// Record types that expressions can be compiled against.
pub trait Selectable: Record + 'static {
    /// Names and types of the fields.
    #[doc(hidden)]
    fn schema() -> &'static Schema;
}

/// Fields by name; a field's place is its position.
#[doc(hidden)]
pub type Schema = [(&'static str, Type)];

/// Type of a field.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub enum Type {
    Text,
    /// An IP address, which compares as its text.
    Address,
    Integer,
    Boolean,
    List,
    Map,
    AddressMap,
    Struct(fn() -> &'static Schema),
    Structs(fn() -> &'static Schema),
}

/// Value of a field.
#[doc(hidden)]
pub enum View<'a> {
    Text(&'a str),
    Address(IpAddr),
    Integer(i64),
    Boolean(bool),
    List(&'a [Str]),
    Map(Option<&'a Map>),
    AddressMap(Option<&'a BTreeMap<Str, ServiceAddress>>),
    Struct(&'a dyn Record),
    Structs(&'a dyn Records),
}

/// A list of records.
#[doc(hidden)]
pub trait Records {
    fn is_empty(&self) -> bool;
    fn any(&self, f: &mut dyn FnMut(&dyn Record) -> bool) -> bool;
}

impl<T: Record> Records for Vec<T> {
    fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }
    fn any(&self, f: &mut dyn FnMut(&dyn Record) -> bool) -> bool {
        self.iter().any(|r| f(r))
    }
}

impl<T: Record> Record for std::sync::Arc<T> {
    fn field(&self, place: usize) -> View<'_> {
        T::field(self, place)
    }
}
