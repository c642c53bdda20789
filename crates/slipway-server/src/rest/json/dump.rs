// SPDX-License-Identifier: Apache-2.0
//! JSON quoted in messages: RapidJSON's pretty form, cut off when it grows long.

use slipway_core::number_text::{push_float, push_integer};

use super::number::Number;
use super::reader::{Kind, Reader, SyntaxError};
use super::writer::{push_indent, push_string};

/// No token begins behind so many bytes.
const LENGTH: usize = 256;
/// A string, the one token without a length of its own, is cut off here.
const STRING_LENGTH: usize = 1024;

/// The value at `value` as messages show it, perhaps only its beginning.
pub(super) fn dump(value: Reader<'_>) -> String {
    let mut dump = Dump { out: Vec::new(), level: 0 };
    let mut reader = value;
    // A value that was cut off is still the best that a message can show.
    let _ = dump.value(&mut reader);
    String::from_utf8_lossy(&dump.out).into_owned()
}

struct Dump {
    out: Vec<u8>,
    level: usize,
}

/// The dump ends here: it is long enough, or it cannot go on.
struct End;

impl From<SyntaxError> for End {
    fn from(_: SyntaxError) -> Self {
        End
    }
}

impl Dump {
    fn value(&mut self, reader: &mut Reader<'_>) -> Result<(), End> {
        match reader.kind() {
            Kind::Null => self.word(reader, "null"),
            Kind::False => self.word(reader, "false"),
            Kind::True => self.word(reader, "true"),
            Kind::String => {
                let text = reader.string()?.bytes();
                self.string(&text)
            }
            Kind::Number => self.number(reader),
            Kind::Array => self.list(reader),
            Kind::Object => self.object(reader),
        }
    }

    fn word(&mut self, reader: &mut Reader<'_>, word: &str) -> Result<(), End> {
        reader.word(word)?;
        self.out.extend_from_slice(word.as_bytes());
        Ok(())
    }

    fn string(&mut self, text: &[u8]) -> Result<(), End> {
        if text.len() <= STRING_LENGTH {
            push_string(&mut self.out, text);
            return Ok(());
        }
        push_string(&mut self.out, &text[..STRING_LENGTH]);
        self.out.pop();
        self.out.extend_from_slice(b"...");
        Err(End)
    }

    fn number(&mut self, reader: &mut Reader<'_>) -> Result<(), End> {
        let number = reader.number()?;
        match number {
            Number::Integer { .. } => {
                push_integer(&mut self.out, number.to_integer().unwrap_or_default());
            }
            // RapidJSON has no text for these within a list or an object.
            Number::NotFinite(_) if self.level > 0 => return Err(End),
            Number::Decimal(_) | Number::NotFinite(_) => {
                push_float(&mut self.out, number.to_f64());
            }
        }
        Ok(())
    }

    fn list(&mut self, reader: &mut Reader<'_>) -> Result<(), End> {
        self.out.push(b'[');
        self.level += 1;
        let mut more = reader.open_list()?;
        let mut separator: &[u8] = b"";
        while more {
            self.room()?;
            self.out.extend_from_slice(separator);
            separator = b", ";
            self.value(reader)?;
            more = reader.next_element()?;
        }
        self.room()?;
        self.level -= 1;
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, reader: &mut Reader<'_>) -> Result<(), End> {
        self.out.push(b'{');
        self.level += 1;
        let mut member = reader.open_object()?;
        let empty = member.is_none();
        let mut separator: &[u8] = b"\n";
        while let Some(name) = member {
            self.room()?;
            self.out.extend_from_slice(separator);
            separator = b",\n";
            push_indent(&mut self.out, self.level);
            self.string(&name.bytes())?;
            self.room()?;
            self.out.extend_from_slice(b": ");
            self.value(reader)?;
            member = reader.next_member()?;
        }
        self.room()?;
        self.level -= 1;
        if !empty {
            self.out.push(b'\n');
            push_indent(&mut self.out, self.level);
        }
        self.out.push(b'}');
        Ok(())
    }

    fn room(&self) -> Result<(), End> {
        if self.out.len() >= LENGTH {
            Err(End)
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dumped(body: &str) -> String {
        dump(Reader::new(body.as_bytes(), 64).unwrap())
    }

    #[test]
    fn objects_stand_on_lines_and_lists_in_one() {
        assert_eq!(
            dumped(r#"{"a":[1,2.50,[]],"b":{"c":{}},"d":[{"e":null},"\u00e9\n"]}"#),
            r#"{
    "a": [1, 2.5, []],
    "b": {
        "c": {}
    },
    "d": [{
            "e": null
        }, "é\n"]
}"#
        );
        assert_eq!(dumped(" 1.0 "), "1.0");
        assert_eq!(dumped("-0"), "0");
        assert_eq!(dumped("[true,false]"), "[true, false]");
    }

    #[test]
    fn a_long_value_ends_with_the_token_that_reaches_the_limit() {
        let list = dumped(&format!("[{}1]", "100,".repeat(1000)));
        assert!(list.starts_with("[100, 100, ") && list.ends_with("100"), "{list}");
        assert!((LENGTH..LENGTH + 5).contains(&list.len()), "{}", list.len());
    }

    #[test]
    fn a_huge_string_is_cut_off() {
        let string = dumped(&format!("[\"{}\", 1]", "x".repeat(1 << 20)));
        assert_eq!(string.len(), 2 + STRING_LENGTH + 3);
    }

    #[test]
    fn a_value_that_is_no_number_ends_the_dump() {
        assert_eq!(dumped("[1, NaN, 2]"), "[1, ");
        assert_eq!(dumped("Inf"), "Infinity");
    }

    #[test]
    fn broken_text_is_shown_up_to_where_it_breaks() {
        assert_eq!(dumped("[1, 2"), "[1, 2");
    }
}
