package auth

import (
	"testing"

	"jishi/kit/database/dbtest"
)

func TestACutOffMigrationGoesOn(t *testing.T) { dbtest.Resumes(t, dbtest.Stage{Migrate: Migrate}) }
