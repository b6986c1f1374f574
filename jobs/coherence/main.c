#include "commands.h"

int main(int argc, char **argv)
{
	return coherence_main(argc, argv);
}
