//! What a finger and an eye get from a page, in millimetres and as contrast: places from the page, colours from the pixels.

use std::vec::Vec;

use slint::Rgb8Pixel;

use crate::layout::{Page, Style};
use crate::metrics::Metrics;

/// Measures of a page.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// Width and height of every touch area, mm.
    pub touch_mm: Vec<[f64; 2]>,
    /// Smallest distance of two touch areas, mm; `None` with fewer than two.
    pub gap_mm: Option<f64>,
    /// Smallest height of capitals, mm; `None` without text.
    pub text_mm: Option<f64>,
    /// Smallest contrast of a text and what it stands on, from the pixels.
    pub contrast: Option<f64>,
}

/// Measures a page and its picture (`width` pixels a row).
#[must_use]
pub fn measure(page: &Page, metrics: &Metrics, width: usize, pixels: &[Rgb8Pixel]) -> Measured {
    let mm = |pixels: i32| millimetres(metrics.um(pixels));
    let touchable: Vec<_> = page
        .areas
        .iter()
        .filter(|area| area.act.is_some() && area.style != Style::Invisible)
        .collect();
    let mut gap: Option<i32> = None;
    for (index, one) in touchable.iter().enumerate() {
        for other in touchable.iter().skip(index + 1) {
            let across = (other.x - one.x - one.width).max(one.x - other.x - other.width);
            let down = (other.y - one.y - one.height).max(one.y - other.y - other.height);
            let apart = across.max(down);
            gap = Some(gap.map_or(apart, |least| least.min(apart)));
        }
    }
    let lines = || {
        page.texts
            .iter()
            .chain(&page.captions)
            .filter(|line| !line.text.trim().is_empty())
    };
    let contrast = lines()
        .filter_map(|line| {
            let region = region(pixels, width, (line.x, line.y, line.width, line.height));
            contrast(&region)
        })
        .min_by(f64::total_cmp);
    Measured {
        touch_mm: touchable.iter().map(|area| [mm(area.width), mm(area.height)]).collect(),
        gap_mm: gap.map(mm),
        text_mm: lines()
            .map(|line| millimetres(metrics.capital_um(line.em)))
            .min_by(f64::total_cmp),
        contrast,
    }
}

#[allow(clippy::cast_precision_loss)] // Micrometres of a panel: far below 2^52.
fn millimetres(micrometres: i64) -> f64 {
    micrometres as f64 / 1_000.0
}

fn region(pixels: &[Rgb8Pixel], width: usize, (x, y, w, h): (i32, i32, i32, i32)) -> Vec<Rgb8Pixel> {
    let whole = |value: i32| usize::try_from(value).unwrap_or(0);
    pixels
        .chunks(width)
        .skip(whole(y))
        .take(whole(h))
        .flat_map(|row| row.iter().skip(whole(x)).take(whole(w)).copied())
        .collect()
}

/// Contrast of the commonest colour of a region (what text stands on) and the one that differs most from it (the middle of its
/// strokes).
fn contrast(region: &[Rgb8Pixel]) -> Option<f64> {
    let mut counts: Vec<(Rgb8Pixel, usize)> = Vec::new();
    for pixel in region {
        match counts.iter_mut().find(|(known, _)| known == pixel) {
            Some((_, count)) => *count += 1,
            None => counts.push((*pixel, 1)),
        }
    }
    let ground = luminance(counts.iter().max_by_key(|(_, count)| *count)?.0);
    counts
        .iter()
        .map(|(colour, _)| ratio(ground, luminance(*colour)))
        .max_by(f64::total_cmp)
}

/// WCAG 2 contrast of two relative luminances.
fn ratio(one: f64, other: f64) -> f64 {
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn luminance(pixel: Rgb8Pixel) -> f64 {
    let linear = |channel: u8| {
        let value = f64::from(channel) / 255.0;
        if value <= 0.040_45 {
            value / 12.92
        } else {
            ((value + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * linear(pixel.r) + 0.7152 * linear(pixel.g) + 0.0722 * linear(pixel.b)
}
