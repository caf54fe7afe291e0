//! Values that must not be seen.

use zeroize::Zeroize;

/// A secret: it has no `Debug`, no `Display` and no `Serialize`, and its bytes are wiped when it is dropped.
///
/// ```compile_fail
/// let secret = grindvakt::base::Secret::new(vec![1u8, 2, 3]);
/// println!("{secret:?}");
/// ```
///
/// ```
/// let secret = grindvakt::base::Secret::new(vec![1u8, 2, 3]);
/// println!("{} bytes", secret.expose().len());
/// ```
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Wraps a secret.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The secret itself. Name it in a review: every call is a place where it could leak.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// The secret itself, to be filled in.
    pub fn expose_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
