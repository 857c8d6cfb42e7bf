//! Colours, marks and hatchings that survive colour blindness and a black-and-white print.
//!
//! Categories: the eight colours of Okabe and Ito ("Color Universal Design", 2008), each with a mark or a hatching of its
//! own. Quantities: nine steps of viridis (Smith and van der Walt 2015, CC0), whose lightness rises evenly, from dark to
//! light.

/// A colour: red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Colour(pub u8, pub u8, pub u8);

impl Colour {
    /// As SVG writes it: `#0072b2`.
    pub fn hex(self) -> String {
        format!("#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }

    /// A part of the way towards another: 0 is this one, 1 the other.
    pub fn mix(self, other: Self, part: f64) -> Self {
        let between = |a: u8, b: u8| {
            (f64::from(a) + (f64::from(b) - f64::from(a)) * part.clamp(0.0, 1.0)).round() as u8
        };
        Self(between(self.0, other.0), between(self.1, other.1), between(self.2, other.2))
    }

    /// How light it looks, from 0 to 1 (ITU-R BT.601).
    pub fn lightness(self) -> f64 {
        (0.299 * f64::from(self.0) + 0.587 * f64::from(self.1) + 0.114 * f64::from(self.2)) / 255.0
    }
}

/// Paper.
pub const WHITE: Colour = Colour(255, 255, 255);
/// Text and what matters.
pub const INK: Colour = Colour(26, 26, 26);
/// Text that explains.
pub const SOFT: Colour = Colour(90, 90, 90);
/// Lines that guide the eye.
pub const GRID: Colour = Colour(225, 225, 225);
/// Points that are not looked at.
pub const PALE: Colour = Colour(200, 200, 200);

/// Okabe and Ito's colours; yellow, which is hardly seen on white, comes last and darker.
pub const CATEGORIES: [Colour; 8] = [
    Colour(0, 114, 178),
    Colour(213, 94, 0),
    Colour(0, 158, 115),
    Colour(204, 121, 167),
    Colour(86, 180, 233),
    Colour(230, 159, 0),
    Colour(60, 60, 60),
    Colour(190, 175, 20),
];

const VIRIDIS: [Colour; 9] = [
    Colour(68, 1, 84),
    Colour(71, 44, 122),
    Colour(59, 81, 139),
    Colour(44, 113, 142),
    Colour(33, 144, 141),
    Colour(39, 173, 129),
    Colour(92, 200, 99),
    Colour(170, 220, 50),
    Colour(253, 231, 37),
];

/// The colour of a category.
pub fn category(at: usize) -> Colour {
    CATEGORIES[at % CATEGORIES.len()]
}

/// Viridis: 0 is light, 1 is dark, so that more is darker on paper.
pub fn sequential(part: f64) -> Colour {
    let place = (1.0 - part.clamp(0.0, 1.0)) * (VIRIDIS.len() - 1) as f64;
    let low = (place.floor() as usize).min(VIRIDIS.len() - 2);
    VIRIDIS[low].mix(VIRIDIS[low + 1], place - low as f64)
}

/// The form of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// A disc.
    Circle,
    /// A square.
    Square,
    /// A triangle, point up.
    Triangle,
    /// A square on its corner.
    Diamond,
    /// A triangle, point down.
    Wedge,
    /// An upright cross.
    Plus,
}

impl Shape {
    /// All forms, those that are told apart most easily first.
    pub const ALL: [Self; 6] =
        [Self::Circle, Self::Triangle, Self::Square, Self::Diamond, Self::Wedge, Self::Plus];

    /// The form of a category. Colours repeat after eight and forms after six, so both together after 24.
    pub fn of_category(at: usize) -> Self {
        Self::ALL[at % Self::ALL.len()]
    }
}

/// Lines across an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hatch {
    /// None.
    Plain,
    /// Rising to the right.
    Rising,
    /// Falling to the right.
    Falling,
    /// Level.
    Level,
    /// Upright.
    Upright,
    /// Rising and falling.
    Crossed,
}

impl Hatch {
    /// The hatching of a category.
    pub fn of_category(at: usize) -> Self {
        [Self::Plain, Self::Rising, Self::Falling, Self::Level, Self::Upright, Self::Crossed][at % 6]
    }
}

/// The dashes of a line of a category: lengths of stroke and gap; empty for a line without gaps.
pub fn dashes(at: usize) -> &'static [f64] {
    [&[][..], &[7.0, 3.0], &[2.0, 2.5], &[9.0, 3.0, 2.0, 3.0], &[4.0, 2.0], &[12.0, 3.0]][at % 6]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_darker_all_the_way() {
        let lightness: Vec<f64> = (0..=50).map(|at| sequential(f64::from(at) / 50.0).lightness()).collect();
        assert!(lightness.windows(2).all(|pair| pair[1] < pair[0]), "{lightness:?}");
        assert_eq!((sequential(0.0), sequential(1.0)), (VIRIDIS[8], VIRIDIS[0]));
    }

    #[test]
    fn twenty_four_categories_differ_in_colour_or_form() {
        let all: std::collections::HashSet<_> =
            (0..24).map(|at| (category(at), Shape::of_category(at))).collect();
        assert_eq!(all.len(), 24);
        assert!(CATEGORIES.iter().all(|colour| colour.lightness() < 0.72), "all are seen on white");
    }
}
