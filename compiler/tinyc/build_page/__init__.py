"""A build as one web page that needs nothing but itself: `tinyc report`.

`collect` reads a build folder into a view, `compare` sets two of them side by side, `render` puts the view
and the files of `page/` and `vendor/` into one HTML text. The scripts only draw what the view says.
"""
