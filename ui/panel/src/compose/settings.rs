//! The panel's own pages: language, size and colours, and the buttons that had no room.

use alloc::vec::Vec;

use kiosk::screen::Touch;

use crate::metrics::TextSize;
use crate::scene::{Act, Block, Button, Part, Scene, Shape};
use crate::words::{LANGUAGES, Say, Word};

/// What a voter has set: the panel's business alone, and gone when the next voter comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Place in [`LANGUAGES`].
    pub language: usize,
    /// Text size.
    pub size: TextSize,
    /// Theme, 0 to 3.
    pub theme: u8,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            language: 0,
            size: TextSize::Normal,
            theme: 0,
        }
    }
}

/// The page for language, size and colours, over a screen of kind `kind`.
#[must_use]
pub fn settings(kind: u16, now: Settings) -> Scene {
    let mut scene = Scene::new(kind, "settings", Shape::Flow, Word::SettingsTitle);
    let option = |act, name: Say, chosen| Block::Option {
        act,
        name,
        sub: None,
        chosen,
    };
    scene = scene.block(Block::Heading(Word::SettingsLanguage.into()));
    for (index, language) in LANGUAGES.iter().enumerate() {
        scene = scene.block(option(
            Act::Language(index),
            Say::plain(language.name),
            now.language == index,
        ));
    }
    scene = scene.block(Block::Heading(Word::SettingsSize.into()));
    let sizes = [
        Word::SettingsSize1,
        Word::SettingsSize2,
        Word::SettingsSize3,
        Word::SettingsSize4,
    ];
    for (size, word) in TextSize::ALL.into_iter().zip(sizes) {
        scene = scene.block(option(Act::Size(size), word.into(), now.size == size));
    }
    scene = scene.block(Block::Heading(Word::SettingsTheme.into()));
    let themes = [
        Word::SettingsTheme1,
        Word::SettingsTheme2,
        Word::SettingsTheme3,
        Word::SettingsTheme4,
    ];
    for (theme, word) in (0_u8..).zip(themes) {
        scene = scene.block(option(Act::Theme(theme), word.into(), now.theme == theme));
    }
    scene.button(Part::Forward, Word::SettingsDone, Act::Close)
}

/// The same over a screen from which staff can be called: then they can be from here, too. Nothing of the screen below shows (U9).
#[must_use]
pub fn settings_over(under: &Scene, now: Settings) -> Scene {
    let call = |act: &Act| matches!(act, Act::Send(Touch::CallStaff) | Act::Practice(Touch::CallStaff));
    let scene = settings(under.kind, now);
    match under.buttons.iter().find(|button| call(&button.act)) {
        Some(button) => scene.button(Part::Always, button.say.clone(), button.act),
        None => scene,
    }
}

/// The page with the buttons that had no room in the column.
#[must_use]
pub fn other(kind: u16, buttons: Vec<Button>) -> Scene {
    let mut scene = Scene::new(kind, "other", Shape::Flow, Word::Other);
    for button in buttons {
        scene = scene.block(Block::Row {
            act: button.act,
            label: None,
            values: alloc::vec![button.say],
            note: None,
        });
    }
    scene.button(Part::Forward, Word::Back, Act::Close)
}
