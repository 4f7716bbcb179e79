//! What a model that learns must know of journeys besides their touches: when they began, how long somebody looked, in which
//! campaign they were, and on which device each touch was made.

use domain::attribution::Channels;

/// Beside the rows of journeys, in their order; only where journeys come one by one and have times.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Watched {
    rows: Vec<Watch>,
    /// Of each touch, in the order of rows.
    devices: Vec<u32>,
    touched_us: Vec<i64>,
    device_names: Channels,
    campaign_names: Channels,
    /// Rows that converted, with the name of the conversion, or of the journey where conversions have none.
    conversions: Vec<(usize, String)>,
}

/// What is known of one journey.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Watch {
    /// The instant of its first touch.
    pub(in super::super) began_us: i64,
    /// For how many seconds after its end, a conversion or else its last touch, a conversion would have been seen.
    pub(in super::super) watched_s: u32,
    /// The campaign's number, or [`UNKNOWN`](crate::attribution::UNKNOWN).
    pub(in super::super) campaign: u32,
    /// Whether its only touch is the coupon of its order. Who has a coupon and does not order is seen by nobody, so that
    /// nothing can be learned from it.
    pub(in super::super) is_coupon: bool,
}

impl Watched {
    /// The number of a campaign, or of none.
    pub(super) fn campaign(&mut self, name: Option<&str>) -> u32 {
        number(&mut self.campaign_names, name)
    }

    /// The number of a device, or of none.
    pub(super) fn device(&mut self, name: Option<&str>) -> u32 {
        number(&mut self.device_names, name)
    }

    /// Appends a journey; `touches` has the instant and the device of each of its touches.
    pub(super) fn push(
        &mut self,
        watch: Watch,
        touches: impl Iterator<Item = (i64, u32)>,
        conversion: Option<String>,
    ) {
        for (touched_us, device) in touches {
            self.touched_us.push(touched_us);
            self.devices.push(device);
        }
        if let Some(name) = conversion {
            self.conversions.push((self.rows.len(), name));
        }
        self.rows.push(watch);
    }

    pub(in super::super) fn rows(&self) -> &[Watch] {
        &self.rows
    }

    pub(in super::super) fn devices(&self) -> &[u32] {
        &self.devices
    }

    /// When each touch was, in microseconds since the Unix epoch.
    pub(in super::super) fn touched_us(&self) -> &[i64] {
        &self.touched_us
    }

    /// The names of devices by their numbers.
    pub(in super::super) fn device_names(&self) -> &[String] {
        self.device_names.names()
    }

    /// The names of campaigns by their numbers.
    pub(in super::super) fn campaign_names(&self) -> &[String] {
        self.campaign_names.names()
    }

    /// Rows that converted, with a name each.
    pub(in super::super) fn conversions(&self) -> &[(usize, String)] {
        &self.conversions
    }
}

fn number(names: &mut Channels, name: Option<&str>) -> u32 {
    name.filter(|name| !name.is_empty()).map_or(crate::attribution::UNKNOWN, |name| names.number(name))
}
