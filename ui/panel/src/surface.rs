//! Between the presenter and a Slint component: pages in, presses out. A program with more beside the panel (a simulator's
//! dock) compiles `ui/kit.slint` into its own window and gets this room's drawing with [`surface!`](crate::surface!).

use alloc::boxed::Box;
use alloc::vec::Vec;

use slint::{Model as _, VecModel};

use crate::layout::{Align, Line, Page, Style};
use crate::metrics::Metrics;
use crate::pictures::Mask;

pub use alloc::rc::Rc;

/// Something that can draw pages and gives presses by the place of a box in [`Page::areas`].
pub trait Surface {
    /// Draws a page.
    fn draw(&self, page: &Page, theme: u8, metrics: &Metrics);
    /// Connects what happens to fingers: down on a box; up, and whether still near it; a screen reader's or keypad's action.
    fn connect(&self, pressed: Box<dyn Fn(i32)>, released: Box<dyn Fn(i32, bool)>, activated: Box<dyn Fn(i32)>);
}

/// Makes a model equal to `rows`, telling the renderer of the rows that differ only: small changes, small redraws.
pub fn sync<T: Clone + PartialEq + 'static>(model: &VecModel<T>, rows: Vec<T>) {
    let wanted = rows.len();
    for (index, row) in rows.into_iter().enumerate() {
        match model.row_data(index) {
            Some(old) if old == row => {}
            Some(_) => model.set_row_data(index, row),
            None => model.push(row),
        }
    }
    while model.row_count() > wanted {
        model.remove(model.row_count() - 1);
    }
}

/// Pixels for Slint; panels are far smaller than what a float holds exactly.
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub const fn float(pixels: i32) -> f32 {
    pixels as f32
}

/// Whether letters are written by [`crate::pen`] and not by Slint: where there are no outlines.
pub const PEN: bool = cfg!(not(feature = "std"));

/// How far ink may reach over a line's room, at either side.
#[must_use]
pub fn margin(em: i32) -> i32 {
    (em * i32::from(election::pictures::MARGIN)).div_euclid(i32::from(election::pictures::EM)) + 1
}

/// Where in its line a picture begins, in whole pixels.
#[must_use]
pub fn place(line: &Line, mask: &Mask) -> i32 {
    let drawn = mask.width - 2 * mask.margin;
    let at = match line.align {
        Align::Left => 0,
        Align::Centre => (line.width - drawn) / 2,
        Align::Right => line.width - drawn,
    };
    at - mask.margin
}

/// The number of an alignment in kit.slint.
#[must_use]
pub const fn align(align: Align) -> i32 {
    match align {
        Align::Left => 0,
        Align::Centre => 1,
        Align::Right => 2,
    }
}

/// The number of a style in kit.slint.
#[must_use]
pub const fn style(style: Style) -> i32 {
    match style {
        Style::Plain => 0,
        Style::Primary => 1,
        Style::Option => 2,
        Style::Row => 3,
        Style::Key => 4,
        Style::Invisible => 5,
        Style::Alarm => 6,
        Style::Field => 7,
        Style::Banner => 8,
    }
}

/// Makes a [`Surface`](crate::surface::Surface) of a Slint component that contains `KioskPanel` and whose module exports
/// `PanelData`, `PanelLine`, `PanelBox`, `PanelPicture` and `Palette` (see ui/window.slint):
/// `panel::surface!(pub struct MySurface(MyWindow) in crate::ui);`
#[macro_export]
macro_rules! surface {
    ($(#[$meta:meta])* $vis:vis struct $name:ident($component:ident) in $($ui:ident)::+) => {
        $(#[$meta])*
        $vis struct $name {
            component: $($ui)::+::$component,
            texts: $crate::surface::Rc<$crate::slint::VecModel<$($ui)::+::PanelLine>>,
            captions: $crate::surface::Rc<$crate::slint::VecModel<$($ui)::+::PanelLine>>,
            boxes: $crate::surface::Rc<$crate::slint::VecModel<$($ui)::+::PanelBox>>,
            pictures: $crate::surface::Rc<$crate::slint::VecModel<$($ui)::+::PanelPicture>>,
            codes: core::cell::RefCell<Vec<($crate::qr::Code, $crate::slint::Image)>>,
            masks: core::cell::RefCell<Vec<($crate::surface::Rc<$crate::pictures::Mask>, $crate::slint::Image)>>,
            /// Of lines that are text. It is one and the same, because an empty [`slint::Image`] equals none, not even itself: every line
            /// would be new in every picture.
            none: $crate::slint::Image,
        }

        impl $name {
            /// Takes a component over.
            #[must_use]
            $vis fn new(component: $($ui)::+::$component) -> Self {
                use $crate::slint::ComponentHandle as _;
                let surface = Self {
                    component,
                    texts: Default::default(),
                    captions: Default::default(),
                    boxes: Default::default(),
                    pictures: Default::default(),
                    codes: Default::default(),
                    masks: Default::default(),
                    none: $crate::slint::Image::from_rgb8($crate::slint::SharedPixelBuffer::new(1, 1)),
                };
                let data = surface.component.global::<$($ui)::+::PanelData<'_>>();
                data.set_texts(surface.texts.clone().into());
                data.set_captions(surface.captions.clone().into());
                data.set_boxes(surface.boxes.clone().into());
                data.set_pictures(surface.pictures.clone().into());
                data.set_pen($crate::surface::PEN);
                surface
            }

            /// Pictures of names are made once while they stand on the screen.
            fn masks(&self, page: &$crate::layout::Page) {
                let mut masks = self.masks.borrow_mut();
                let lines = page.texts.iter().chain(&page.captions).filter(|_| !$crate::surface::PEN);
                let fresh = lines
                    .filter_map(|line| line.picture.clone())
                    .map(|mask| {
                        let known = masks.iter().find(|(own, _)| $crate::surface::Rc::ptr_eq(own, &mask));
                        let image = known.map(|(_, image)| image.clone());
                        let image = image.unwrap_or_else(|| mask.image());
                        (mask, image)
                    })
                    .collect();
                *masks = fresh;
            }

            fn lines(&self, lines: &[$crate::layout::Line]) -> Vec<$($ui)::+::PanelLine> {
                let masks = self.masks.borrow();
                lines
                    .iter()
                    .map(|line| (line, line.picture.as_ref()))
                    .map(|(line, mask)| $($ui)::+::PanelLine {
                        pictured: mask.is_some(),
                        picture: mask
                            .and_then(|mask| masks.iter().find(|(own, _)| $crate::surface::Rc::ptr_eq(own, mask)))
                            .map_or_else(|| self.none.clone(), |(_, image)| image.clone()),
                        picture_x: mask.map_or(0.0, |mask| $crate::surface::float($crate::surface::place(line, mask))),
                        picture_width: mask.map_or(0.0, |mask| $crate::surface::float(mask.width)),
                        x: $crate::surface::float(line.x),
                        y: $crate::surface::float(line.y),
                        width: $crate::surface::float(line.width),
                        height: $crate::surface::float(line.height),
                        size: $crate::surface::float(line.em),
                        align: $crate::surface::align(line.align),
                        role: i32::from(line.on_primary),
                        text: line.text.as_str().into(),
                        says: line.says.as_str().into(),
                    })
                    .collect()
            }
        }

        impl $crate::surface::Surface for $name {
            fn draw(&self, page: &$crate::layout::Page, theme: u8, metrics: &$crate::metrics::Metrics) {
                use $crate::slint::ComponentHandle as _;
                use $crate::surface::float;
                self.component.global::<$($ui)::+::Palette<'_>>().set_theme(i32::from(theme));
                let data = self.component.global::<$($ui)::+::PanelData<'_>>();
                data.set_stroke(float(metrics.stroke));
                data.set_slip(float(metrics.slip));
                self.masks(page);
                $crate::surface::sync(&self.texts, self.lines(&page.texts));
                $crate::surface::sync(&self.captions, self.lines(&page.captions));
                let boxes = (0_i32..)
                    .zip(&page.areas)
                    .map(|(id, area)| $($ui)::+::PanelBox {
                        id,
                        x: float(area.x),
                        y: float(area.y),
                        width: float(area.width),
                        height: float(area.height),
                        style: $crate::surface::style(area.style),
                        mark: float(area.mark),
                        chosen: area.chosen,
                        says: area.says.as_str().into(),
                    })
                    .collect();
                $crate::surface::sync(&self.boxes, boxes);
                // A code's picture is made once while it stands on the screen.
                let mut codes = self.codes.borrow_mut();
                let fresh: Vec<_> = page
                    .pictures
                    .iter()
                    .map(|picture| {
                        let known = codes.iter().find(|(code, _)| *code == picture.code).map(|(_, image)| image.clone());
                        (picture.code.clone(), known.unwrap_or_else(|| picture.code.image()))
                    })
                    .collect();
                *codes = fresh;
                let pictures = page
                    .pictures
                    .iter()
                    .zip(codes.iter())
                    .map(|(picture, (_, image))| $($ui)::+::PanelPicture {
                        x: float(picture.x),
                        y: float(picture.y),
                        side: float(picture.side),
                        image: image.clone(),
                        says: picture.says.as_str().into(),
                    })
                    .collect();
                $crate::surface::sync(&self.pictures, pictures);
            }

            fn connect(
                &self,
                pressed: $crate::surface::Handler<dyn Fn(i32)>,
                released: $crate::surface::Handler<dyn Fn(i32, bool)>,
                activated: $crate::surface::Handler<dyn Fn(i32)>,
            ) {
                use $crate::slint::ComponentHandle as _;
                let data = self.component.global::<$($ui)::+::PanelData<'_>>();
                data.on_pressed(move |id| pressed(id));
                data.on_released(move |id, near| released(id, near));
                data.on_activated(move |id| activated(id));
            }
        }
    };
}

/// What a component calls.
pub type Handler<F> = Box<F>;
