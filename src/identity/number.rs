//! Swedish identity numbers: twelve digits, personal and coordination numbers told apart (profile 2.3).

/// Which kind of number it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NumberKind {
    /// Personnummer: a person in the population register.
    Personal,
    /// Samordningsnummer: the day of birth is written 60 higher (SKV 707).
    Coordination,
}

/// A number of twelve digits: YYYYMMDDNNNC. It has no `Debug`: it is a person.
#[derive(Clone, PartialEq, Eq)]
pub struct Number {
    digits: String,
    kind: NumberKind,
}

impl Number {
    /// Reads twelve digits. The month is not judged, and a day may be unknown (00, or 60 in a coordination number). A day
    /// that belongs to neither kind makes no number: whoever has not opted in to coordination numbers gets none by it.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 12 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let day: u8 = text.get(6..8)?.parse().ok()?;
        let kind = match day {
            0..=31 => NumberKind::Personal,
            60..=91 => NumberKind::Coordination,
            _ => return None,
        };
        Some(Self { digits: text.to_owned(), kind })
    }

    /// The twelve digits.
    pub fn as_str(&self) -> &str {
        &self.digits
    }

    /// Which kind.
    pub const fn kind(&self) -> NumberKind {
        self.kind
    }

    /// Whether the last digit is the check digit of the nine before it (Luhn, weights 2, 1, 2…; SKV 704). No profile asks
    /// a service to check it, and published examples fail it: it is a setting.
    pub fn check_digit_holds(&self) -> bool {
        let sum: u32 = self
            .digits
            .bytes()
            .skip(2)
            .enumerate()
            .map(|(at, b)| {
                let digit = u32::from(b - b'0');
                if at % 2 == 0 { digit * 2 / 10 + digit * 2 % 10 } else { digit }
            })
            .sum();
        sum.is_multiple_of(10)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn published_test_numbers() {
        for (text, kind, check) in [
            ("195006262546", NumberKind::Personal, true),
            ("195207306886", NumberKind::Personal, true),
            ("197010632391", NumberKind::Coordination, true),
            ("196903261687", NumberKind::Personal, false),
            ("197010612391", NumberKind::Coordination, false),
            ("197010912391", NumberKind::Coordination, false),
            ("197010602391", NumberKind::Coordination, false),
            ("197010002391", NumberKind::Personal, false),
        ] {
            let number = Number::parse(text).unwrap();
            assert_eq!((number.kind(), number.check_digit_holds()), (kind, check), "{text}");
        }
        for bad in [
            "",
            "5006262546",
            "19500626-2546",
            "19500626254",
            "1950062625466",
            "19500626254x",
            "197010592391",
            "197010322391",
            "197010992391",
            "１９５００６２６２５４６",
        ] {
            assert!(Number::parse(bad).is_none(), "{bad}");
        }
    }
}
