//! What a Linux machine can say of itself to staff: how warm it is, and how much of its disk is left. Nothing of an election.

use std::fs;
use std::path::Path;

use kiosk::ports::Space;

/// Sensors that are looked at; an appliance has a handful.
const MOST: usize = 64;
/// Degrees that a sensor of a running machine can mean; others are sensors that are not there, or broken.
const LIKELY: std::ops::RangeInclusive<i32> = -40..=150;

/// The warmest sensor below a folder like `/sys/class`, in degrees Celsius: thermal zones (`thermal/thermal_zone0/temp`), and where there are none,
/// monitoring chips (`hwmon/hwmon0/temp1_input`). `None` where nothing measures.
#[must_use]
pub fn warmest(class: &Path) -> Option<i16> {
    hottest(&class.join("thermal"), |name| name == "temp").or_else(|| {
        hottest(&class.join("hwmon"), |name| {
            name.starts_with("temp") && name.ends_with("_input")
        })
    })
}

fn hottest(folder: &Path, is_sensor: impl Fn(&str) -> bool) -> Option<i16> {
    let devices = fs::read_dir(folder).ok()?.take(MOST).filter_map(Result::ok);
    let files = devices
        .filter_map(|device| fs::read_dir(device.path()).ok())
        .flat_map(|files| files.take(4 * MOST).filter_map(Result::ok))
        .filter(|file| file.file_name().to_str().is_some_and(&is_sensor));
    files
        .take(MOST)
        .filter_map(|file| fs::read_to_string(file.path()).ok()?.trim().parse::<i32>().ok())
        // The kernel says thousandths.
        .map(|thousandths| thousandths / 1_000)
        .filter(|degrees| LIKELY.contains(degrees))
        .max()
        .and_then(|degrees| i16::try_from(degrees).ok())
}

/// How much is left of the disk that a folder lies on, for whoever is not its administrator. Blocks as long as the disk does.
#[must_use]
pub fn space(folder: &Path) -> Option<Space> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    Some(Space {
        free: disk.f_bavail.saturating_mul(disk.f_frsize),
        size: disk.f_blocks.saturating_mul(disk.f_frsize),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sensor(class: &Path, file: &str, text: &str) {
        let path = class.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn f10_the_warmest_sensor_counts_and_a_broken_one_does_not() {
        let class = tempfile::tempdir().unwrap();
        let class = class.path();
        assert_eq!(warmest(class), None);
        sensor(class, "hwmon/hwmon0/temp1_input", "39000\n");
        sensor(class, "hwmon/hwmon0/temp1_max", "99000\n");
        sensor(class, "hwmon/hwmon0/fan1_input", "120000\n");
        assert_eq!(warmest(class), Some(39));
        sensor(class, "thermal/thermal_zone0/temp", "-274000\n");
        sensor(class, "thermal/thermal_zone1/temp", "\n");
        sensor(class, "thermal/thermal_zone1/trip_point_0_temp", "105000\n");
        assert_eq!(warmest(class), Some(39), "zones that measure nothing");
        sensor(class, "thermal/thermal_zone2/temp", "52999\n");
        sensor(class, "thermal/thermal_zone3/temp", "47000\n");
        assert_eq!(warmest(class), Some(52));
    }

    #[test]
    fn f10_a_disk_has_a_size_and_a_folder_that_is_not_there_none() {
        let folder = tempfile::tempdir().unwrap();
        let space = super::space(folder.path()).unwrap();
        assert!(space.size > 0 && space.free <= space.size, "{space:?}");
        assert_eq!(super::space(&folder.path().join("nowhere")), None);
    }
}
