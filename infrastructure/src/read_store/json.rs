//! JSON in one form: keys sorted by their bytes, no white space.

use std::collections::BTreeMap;

use serde_json::{Error, value::RawValue};

/// The same document in the canonical form. Numbers keep their digits.
///
/// A JSONB column of PostgreSQL keeps no text: the server writes one with keys by their length, and blanks. What comes
/// back from there has been given this form; what is to come back byte for byte must have it when it is written.
pub fn canonical_json(json: &str) -> Result<String, Error> {
    let mut out = String::with_capacity(json.len());
    write(json, &mut out)?;
    Ok(out)
}

fn write(json: &str, out: &mut String) -> Result<(), Error> {
    let json = json.trim_ascii();
    match json.as_bytes().first() {
        Some(b'{') => {
            let members: BTreeMap<String, &RawValue> = serde_json::from_str(json)?;
            out.push('{');
            for (index, (key, value)) in members.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&serde_json::to_string(&key)?);
                out.push(':');
                write(value.get(), out)?;
            }
            out.push('}');
        }
        Some(b'[') => {
            let elements: Vec<&RawValue> = serde_json::from_str(json)?;
            out.push('[');
            for (index, element) in elements.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(element.get(), out)?;
            }
            out.push(']');
        }
        Some(b'"') => {
            let text: String = serde_json::from_str(json)?;
            out.push_str(&serde_json::to_string(&text)?);
        }
        // A number, true, false or null.
        Some(_) | None => out.push_str(json),
    }
    Ok(())
}
