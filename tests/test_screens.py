"""What people see: every button that can be drawn is pressed, in both languages, as a user and as an admin."""

import pytest

from tests.crawler import Crawl, leads_out, style
from tests.kit import png
