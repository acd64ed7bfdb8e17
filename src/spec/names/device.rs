//! Devices by name: a product, how it is mounted, how much memory it has, who makes it. The order and what stands between the words
//! do not count; the product must be there whole.

use std::collections::BTreeSet;

/// Ways to mount a product, which are no part of its name; a number may follow (`sxm5`).
const MOUNTS: [&str; 4] = ["nvl", "oam", "pcie", "sxm"];

/// The letters and digits of a name, in lower case.
pub fn letters(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|sign| sign.to_ascii_lowercase()).collect()
}

/// The words of a name, in lower case.
pub fn words(name: &str) -> impl Iterator<Item = String> {
    name.split(|sign: char| !sign.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_ascii_lowercase)
}

/// `80gb`, `80g`
fn is_memory(word: &str) -> bool {
    let size = word.trim_end_matches(['g', 'b']);
    size.len() < word.len() && !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_mount(word: &str) -> bool {
    MOUNTS.contains(&word.trim_end_matches(|sign: char| sign.is_ascii_digit()))
}

/// The words with letters and digits that tell products apart.
pub fn codes(name: &str) -> BTreeSet<String> {
    let has = |word: &str, wanted: fn(&u8) -> bool| word.bytes().any(|byte| wanted(&byte));
    words(name)
        .filter(|word| has(word, u8::is_ascii_digit) && has(word, u8::is_ascii_alphabetic))
        .filter(|word| !is_memory(word) && !is_mount(word))
        .collect()
}

/// The words by which one device may be called.
#[derive(Debug, Clone)]
pub struct DeviceWords {
    product: String,
    others: BTreeSet<String>,
}

impl DeviceWords {
    /// The product is what its id begins with.
    pub fn of<'a>(id: &'a str, names: impl Iterator<Item = &'a str>) -> Self {
        let product = words(id).take_while(|word| !is_memory(word) && !is_mount(word)).collect();
        let mut others: BTreeSet<String> = [id].into_iter().chain(names).flat_map(words).collect();
        others.remove(&product);
        Self { product, others }
    }

    /// Whether letters and digits are the product and some of the other words, each once.
    pub fn spell(&self, text: &str) -> bool {
        let others: Vec<&str> = self.others.iter().map(String::as_str).collect();
        !self.product.is_empty() && made_of(text, Some(&self.product), &others)
    }

    /// Whether a name has the product among its words.
    pub fn is_product_in(&self, name: &str) -> bool {
        let words: Vec<String> = words(name).collect();
        let mut runs = (0..words.len()).flat_map(|from| (from + 1..=words.len()).map(move |to| from..to));
        !self.product.is_empty() && runs.any(|run| words[run].concat() == self.product)
    }
}

/// Whether a text is some of the words one after the other, among them the one that must be there.
fn made_of(text: &str, must: Option<&str>, words: &[&str]) -> bool {
    if text.is_empty() {
        return must.is_none();
    }
    let with_it = must.and_then(|must| text.strip_prefix(must)).is_some_and(|rest| made_of(rest, None, words));
    with_it
        || words.iter().enumerate().any(|(place, word)| {
            text.strip_prefix(word).is_some_and(|rest| {
                let others = [&words[..place], &words[place + 1..]].concat();
                made_of(rest, must, &others)
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_spelt_by_its_product_and_its_own_words_in_any_order() {
        let rtx = DeviceWords::of("rtx4090_24gb", ["NVIDIA GeForce RTX 4090"].into_iter());
        let gh200 = DeviceWords::of("gh200_96gb", ["GH200-96GB(120GB LPDDR)"].into_iter());
        let a100 = DeviceWords::of("a100_sxm_80gb", ["NVIDIA A100 SXM4 80GB"].into_iter());
        let pro = DeviceWords::of("rtx_pro_6000_96gb", std::iter::empty());
        for (device, text, want) in [
            (&rtx, "geforce rtx 4090, 24 GB", true),
            (&rtx, "24GB RTX-4090", true),
            (&rtx, "rtx", false),
            (&rtx, "24 GB", false),
            (&rtx, "RTX 4080", false),
            (&gh200, "gh200", true),
            (&gh200, "gh200 96 gb", true),
            (&gh200, "H200", false),
            (&a100, "A100-SXM4-80 GB", true),
            (&a100, "a100sxm80gb", true),
            (&a100, "a100 a100", false),
            (&a100, "a100 40gb", false),
            (&a100, "A10", false),
            (&a100, "", false),
            (&pro, "RTX PRO 6000", true),
            (&pro, "RTX 6000", false),
        ] {
            assert_eq!(device.spell(&letters(text)), want, "{text}");
        }
        assert!(a100.is_product_in("A100 PCIe") && pro.is_product_in("rtx-pro-6000x rtx pro 6000"));
        assert!(!a100.is_product_in("A1000"));
    }

    #[test]
    fn codes_tell_products_and_not_mounts_or_sizes() {
        assert_eq!(codes("NVIDIA H100-SXM5-80GB"), BTreeSet::from(["h100".to_owned()]));
        assert_eq!(codes("mi300x_192gb"), BTreeSet::from(["mi300x".to_owned()]));
        assert!(codes("my card 48gb").is_empty());
    }
}
