//! A record and the public names of its fields in one list.

/// Says how the fields of a record are called: `field: "Name" | "other_name" style`, where the style is `omit` (left out
/// when empty) or `keep`.
macro_rules! fields {
    ($record:ty { $($field:ident: $name:literal $(| $alias:literal)* $style:ident,)* }) => {
        impl $record {
            /// Tells the fields.
            #[allow(unused_variables, reason = "a record may have no fields")]
            pub(in crate::entry) fn show_fields(&self, out: &mut dyn $crate::entry::Sink) {
                $($crate::entry::fields::fields!(@show $style out, $name, &self.$field);)*
            }
            /// Takes a field by a key as it was written; `false` when there is none of that name.
            #[allow(unused_variables, reason = "a record may have no fields")]
            pub(in crate::entry) fn read_field(
                &mut self,
                key: &str,
                from: &serde_json::Value,
                cx: &mut $crate::entry::Reading<'_>,
            ) -> bool {
                $(if $crate::entry::value::is_field(key, $name, &[$($alias),*]) {
                    if !from.is_null() {
                        cx.within($name.to_owned(), |cx| $crate::entry::Value::read(&mut self.$field, from, cx));
                    }
                    return true;
                })*
                false
            }
        }
        impl $crate::entry::Value for $record {
            fn is_zero(&self) -> bool {
                false
            }
            fn show(&self, out: &mut dyn $crate::entry::Sink) {
                out.begin_object();
                self.show_fields(out);
                out.end_object();
            }
            fn read(&mut self, from: &serde_json::Value, cx: &mut $crate::entry::Reading<'_>) {
                $crate::entry::value::read_record(self, from, cx, |r, k, v, cx| r.read_field(k, v, cx));
            }
        }
    };
    (@show keep $out:ident, $name:literal, $value:expr) => {
        $out.key($name);
        $crate::entry::Value::show($value, $out);
    };
    (@show omit $out:ident, $name:literal, $value:expr) => {
        if !$crate::entry::Value::is_zero($value) {
            $out.key($name);
            $crate::entry::Value::show($value, $out);
        }
    };
}
pub(super) use fields;

/// A record and the names of its fields in one list.
macro_rules! record {
    ($(#[$doc:meta])* $record:ident {
        $($(#[$field_doc:meta])* $field:ident: $ty:ty = $name:literal $(| $alias:literal)* $style:ident,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Default, PartialEq, Debug, serde::Serialize, serde::Deserialize)]
        pub struct $record { $($(#[$field_doc])* pub $field: $ty,)* }
        $crate::entry::fields::fields!($record { $($field: $name $(| $alias)* $style,)* });
    };
}
pub(super) use record;
