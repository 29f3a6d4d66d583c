//! How a section of the settings is declared: once, with each key's documentation and default beside it.
//!
//! From one declaration come the struct, its defaults, the names that are known (so that a typo is refused with the
//! nearest one) and the commented default file. Nothing of that can drift apart.

/// One key of a section.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// As written in the file.
    pub(super) name: &'static str,
    /// The lines of its documentation.
    pub(super) doc: &'static [&'static str],
    /// For a key that is absent by default: a value, as TOML, that shows how it is set.
    pub(super) example: Option<&'static str>,
    /// The keys under it, if it is a section.
    pub(super) section: Option<&'static [Key]>,
}

/// What the tree of settings consists of.
pub(super) trait Section {
    /// Its keys in the order of the file: values first, sections after them.
    const KEYS: &'static [Key];
}

/// Declares a section: its values with defaults, then the sections inside it.
macro_rules! settings {
    (@example) => { None };
    (@example $example:literal) => { Some($example) };
    (
        $(#[doc = $about:literal])*
        pub struct $name:ident {
            $($(#[doc = $doc:literal])* $key:ident: $type:ty = $default:expr $(, example $example:literal)?;)*
        }
        $(sections {
            $($(#[doc = $section_doc:literal])* $section:ident: $section_type:ty;)*
        })?
    ) => {
        $(#[doc = $about])*
        #[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $($(#[doc = $doc])* pub $key: $type,)*
            $($($(#[doc = $section_doc])* pub $section: $section_type,)*)?
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($key: $default,)* $($($section: <$section_type>::default(),)*)? }
            }
        }

        impl $crate::config::settings::Section for $name {
            const KEYS: &'static [$crate::config::settings::Key] = &[
                $($crate::config::settings::Key {
                    name: stringify!($key),
                    doc: &[$($doc),*],
                    example: settings!(@example $($example)?),
                    section: None,
                },)*
                $($($crate::config::settings::Key {
                    name: stringify!($section),
                    doc: &[$($section_doc),*],
                    example: None,
                    section: Some(<$section_type as $crate::config::settings::Section>::KEYS),
                },)*)?
            ];
        }
    };
}
pub(super) use settings;
