//! A map in the order of its keys, and lists put in order. What is planned has few of them, mostly given in order: a search by halves in a list is
//! as fast there as hashing or the standard sorts, and a fraction of their code.

use std::borrow::Borrow;
use std::ops::Index;

#[derive(Debug)]
pub struct Sorted<K, V>(Vec<(K, V)>);

impl<K, V> Default for Sorted<K, V> {
    fn default() -> Self {
        Sorted(Vec::new())
    }
}

impl<K: Ord, V> Sorted<K, V> {
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().map(|at| &self.0[at].1)
    }

    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().map(|at| &mut self.0[at].1)
    }

    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.find(key).is_ok()
    }

    /// In the place of what the key had before.
    pub fn insert(&mut self, key: K, value: V) {
        match self.find(&key) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (key, value)),
        }
    }

    pub fn or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let at = self.find(&key).unwrap_or_else(|at| {
            self.0.insert(at, (key, V::default()));
            at
        });
        &mut self.0[at].1
    }

    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.find(key).ok().map(|at| self.0.remove(at).1)
    }

    pub fn retain(&mut self, mut is_kept: impl FnMut(&K, &mut V) -> bool) {
        self.0.retain_mut(|(key, value)| is_kept(key, value));
    }

    fn find<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0.binary_search_by(|(other, _)| other.borrow().cmp(key))
    }
}

impl<K: Ord + Borrow<Q>, Q: Ord + ?Sized, V> Index<&Q> for Sorted<K, V> {
    type Output = V;

    fn index(&self, key: &Q) -> &V {
        self.get(key).expect("the key was inserted")
    }
}

/// `n` numbers from 0, in the order of their keys, those of one key in their own order.
pub fn order<K: Ord>(n: usize, key: impl Fn(usize) -> K) -> Vec<usize> {
    let mut order: Vec<usize> = Vec::with_capacity(n);
    for k in 0..n {
        let own = key(k);
        let at = order.partition_point(|before| key(*before) <= own);
        order.insert(at, k);
    }
    order
}

/// Those that differ, in their order.
pub fn distinct<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut distinct: Vec<T> = Vec::new();
    for item in items {
        if let Err(at) = distinct.binary_search(&item) {
            distinct.insert(at, item);
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inserted_is_found_until_it_is_removed() {
        let mut map: Sorted<String, usize> = Sorted::default();
        for (k, name) in ["b", "a", "c", "a"].into_iter().enumerate() {
            map.insert(name.to_string(), k);
        }
        assert_eq!((map["a"], map["b"], map.get("c"), map.get("d")), (3, 0, Some(&2), None));
        *map.or_default("d".to_string()) += 5;
        assert_eq!((map.remove("d"), map.remove("d"), map.contains_key("d")), (Some(5), None, false));
        map.retain(|name, _| name != "a");
        assert!(map.get_mut("a").is_none() && map.get_mut("b").is_some());
    }

    #[test]
    fn orders_are_those_of_the_standard_sorts() {
        let keys = [3, 1, 2, 1, 0, 3, 2, 2];
        let mut expected: Vec<usize> = (0..keys.len()).collect();
        expected.sort_by_key(|k| keys[*k]);
        assert_eq!(order(keys.len(), |k| keys[k]), expected);
        assert_eq!(distinct(keys), [0, 1, 2, 3]);
    }
}
