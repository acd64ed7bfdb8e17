//! How an operator lies over the devices of its group.

/// What each device of a group does of an operator. The devices work at the same time, so a step takes as long as one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Sharding {
    /// One of so many equal parts.
    Split(u32),
    /// All of it, as every other device.
    Copied,
}

impl Sharding {
    /// Part of the operator that one device does.
    pub fn share(self) -> f64 {
        match self {
            Self::Split(ways) => 1.0 / f64::from(ways),
            Self::Copied => 1.0,
        }
    }

    /// Things that one device holds of `all` where whole ones are split: some devices hold the same ones where there are fewer
    /// than devices.
    pub fn whole_parts(self, all: u32) -> u32 {
        match self {
            Self::Split(ways) => all.div_ceil(ways),
            Self::Copied => all,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_all_devices_make_the_whole_or_copies_of_it() {
        for (sharding, share, heads) in
            [(Sharding::Split(4), 0.25, 2), (Sharding::Split(16), 0.0625, 1), (Sharding::Copied, 1.0, 8)]
        {
            assert_eq!((sharding.share(), sharding.whole_parts(8)), (share, heads));
        }
    }
}
