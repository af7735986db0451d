//! Every other store, on OpenDAL.
