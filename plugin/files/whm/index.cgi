#!/bin/sh
# Opens osm's page for whoever is signed in to WHM. WHM runs this as root and tells the name in REMOTE_USER.
exec {{.Enter}} whm
