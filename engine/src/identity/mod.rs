//! Who is asking: sign-in, cookies, keys.
